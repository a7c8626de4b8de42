export { applyBitsF32, applyBitsF64, fastBits, fastDropoutF32, fastDropoutF64 } from "./dropout";

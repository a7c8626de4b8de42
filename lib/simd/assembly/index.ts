export { applyBitsF32, applyBitsF64, fastBits, fastDropoutF32, fastDropoutF64 } from "./dropout";
// Random streams
export { mt19937Bits, mt19937Block, mt19937Doubles, mt19937Floats } from "./mt19937";
export { pcg64Bits, pcg64Doubles, pcg64Words } from "./pcg64";
export { philoxBits } from "./philox";

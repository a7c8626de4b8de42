export { applyBitsF32, applyBitsF64, fastBits, fastDropoutF32, fastDropoutF64 } from "./dropout";
export { squaresF32, squaresF64, sumF32, sumF64 } from "./reduce";
export { gradientSumsF32, gradientSumsF64, propagateF32, propagateF64 } from "./batch_norm";
export { momentsF32, momentsF64, normalizeF32, normalizeF64 } from "./batch_norm";
export { matmulF32, matmulF64 } from "./matmul";
export { adamF32, reluF32, reluF64, reluGradientF32, reluGradientF64 } from "./training";
// Random streams
export { mt19937Bits, mt19937Block, mt19937Doubles, mt19937Floats } from "./mt19937";
export { pcg64Bits, pcg64Doubles, pcg64Words } from "./pcg64";
export { philoxBits } from "./philox";

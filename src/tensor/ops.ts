/** The ops of TensorFlow.js, and in their place our own where those of the library cannot be differentiated. */
export * from '@tensorflow/tfjs-core'
export { einsum, logSigmoid } from './own-ops.ts'

/** The ops of TensorFlow.js, and in their place our own where those of the library cannot be differentiated. */
export * from '@tensorflow/tfjs-core'
export { logSigmoid } from './own-ops.ts'

/// <reference types="long" preserve="true" />
/**
 * TensorFlow.js for everybody: the one module that imports it. Importing this registers the `cpu` backend (where variables
 * live, whatever engine runs) and the gradients of all ops, and silences the start-up banner.
 *
 * @example
 * import { tf } from '../tensor/tf.ts'
 * const y = tf.matMul(x, w) // [B, D]
 */
import * as util from 'node:util'
import { env, ready, scalar, setBackend } from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { registerMissingGradients } from './gradients.ts'
import { mendKernels } from './kernels.ts'
import { mendTape } from './tape.ts'

export * as tf from './ops.ts'

/** The checks of `util` that Node 23 removed and that tfjs-node calls. */
const REMOVED_FROM_UTIL: Record<string, (value: unknown) => boolean> = {
  isArray: Array.isArray,
  isNullOrUndefined: (value) => value === null || value === undefined,
  isFunction: (value) => typeof value === 'function',
  isString: (value) => typeof value === 'string',
  isNumber: (value) => typeof value === 'number',
  isBoolean: (value) => typeof value === 'boolean',
  isObject: (value) => value !== null && typeof value === 'object',
}

/** Gives `util` back what old native add-ons expect of it; only what is missing, so newer Node versions keep their own. */
export function polyfillUtil(): void {
  const target = (util as unknown as { default: Record<string, unknown> }).default
  for (const [name, check] of Object.entries(REMOVED_FROM_UTIL)) target[name] ??= check
}

async function startCpuBackend(): Promise<void> {
  await setBackend('cpu')
  await ready()
  // The banner about tfjs-node is printed at the first upload unless this is a test.
  env().set('IS_TEST', true)
  scalar(0).dispose()
  env().set('IS_TEST', false)
}

// tfjs-core's Node bundle leaves the gradient registrations out; those of tfjs-layers go to the same global registry. Imported here, its
// types, which strict compilers refuse, stay out of what this module declares.
await import('@tensorflow/tfjs-layers')
mendKernels()
mendTape()
registerMissingGradients()
await startCpuBackend()

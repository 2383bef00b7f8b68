import { Tensor } from 'onnxruntime-node'
import { ArmatureError } from '../../core/errors.ts'
import { sizeOf } from '../../core/ndarray.ts'
import { tf } from '../tf.ts'

type Buffer = Float32Array | Int32Array | Uint8Array

/** The two buffers that a variable alternates between: programs read one and write the other. */
interface Pair {
  live: Tensor
  spare: Tensor
}

/** The part of TF.js's cpu backend that holds the numbers. */
interface CpuData {
  values: Buffer
  readonly refCount: number
}

const pairs = new WeakMap<tf.Variable, Pair>()
/** Tensors over parts of a buffer, made once. */
const parts = new WeakMap<Buffer, Map<string, Tensor>>()

/**
 * `shape` elements of `variable` from `offset` on, without a copy, as a tensor that ONNX Runtime can read. The value stays where
 * TF.js looks for it, so `dataSync()` always shows the current one.
 */
export function liveTensor(variable: tf.Variable, offset: number, shape: readonly number[]): Tensor {
  const buffer = pairOf(variable).live.data as Buffer
  let ofBuffer = parts.get(buffer)
  if (ofBuffer === undefined) {
    ofBuffer = new Map()
    parts.set(buffer, ofBuffer)
  }
  const key = `${offset}:${shape.join()}`
  let tensor = ofBuffer.get(key)
  if (tensor === undefined) {
    tensor = toTensor(buffer.subarray(offset, offset + sizeOf(shape)), shape)
    ofBuffer.set(key, tensor)
  }
  return tensor
}

/** Where a program may write the next value of `variable`. */
export function spareTensor(variable: tf.Variable): Tensor {
  return pairOf(variable).spare
}

/** Makes what was written to the spare buffer the value of `variable`. */
export function commit(variable: tf.Variable): void {
  const pair = pairOf(variable)
  const { live, spare } = pair
  pair.live = spare
  pair.spare = live
  cpuData(variable).values = spare.data as Buffer
}

function pairOf(variable: tf.Variable): Pair {
  if (variable.isDisposed) throw new ArmatureError('closed', `variable ${variable.name} was disposed`)
  const known = pairs.get(variable)
  const { values, refCount } = cpuData(variable)
  if (known !== undefined && known.live.data === values && refCount === 1) return known
  return adopt(variable, values, known)
}

/**
 * Takes a variable over that was assigned outside of programs: its numbers may be shared with other tensors or be the
 * caller's own array, which must not change under them.
 */
function adopt(variable: tf.Variable, values: Buffer, known: Pair | undefined): Pair {
  const own = values.slice()
  const tensor = tf.tensor(own, variable.shape, variable.dtype)
  variable.assign(tensor)
  tensor.dispose()
  const spare = known?.spare ?? toTensor(own.slice(), variable.shape)
  const pair = { live: toTensor(own, variable.shape), spare }
  pairs.set(variable, pair)
  return pair
}

function toTensor(data: Buffer, shape: readonly number[]): Tensor {
  if (data instanceof Uint8Array) return new Tensor('bool', data as unknown as boolean[], shape)
  return data instanceof Int32Array ? new Tensor('int32', data, shape) : new Tensor('float32', data, shape)
}

function cpuData(variable: tf.Variable): CpuData {
  const backend = tf.findBackend('cpu') as unknown as { data: { get(dataId: object): CpuData } }
  return backend.data.get(variable.dataId)
}

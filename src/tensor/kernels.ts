import type { KernelFunc, NamedAttrMap, NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core'
import { broadcast_util, getKernel, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core'

import { sizeOf } from '../core/ndarray.ts'

const BACKEND = 'cpu'

type Data = Float32Array | Int32Array | Uint8Array

/** What the mended kernels need of TF.js's cpu backend. */
interface CpuBackend {
  readonly data: { get(dataId: object): { readonly values: Data } }
  makeTensorInfo(shape: number[], dtype: TensorInfo['dtype'], values: Data): TensorInfo
  disposeIntermediateTensorInfo(info: TensorInfo): void
}

interface Call {
  readonly inputs: NamedTensorInfoMap
  readonly attrs: NamedAttrMap
  readonly backend: CpuBackend
}

type Kernel = (call: Call) => TensorInfo | TensorInfo[]

/** Arithmetic: booleans count as 0 and 1, in int32, where TF.js keeps them in bytes that wrap around (true - true - true is 255). */
const COUNTS_BOOLEANS = (
  'Add AddN Sub Multiply FloorDiv Mod Pow SquaredDifference Atan2 BatchMatMul Neg Abs Sign Square ' +
  'Reciprocal Exp Expm1 Log1p Round Step Relu Relu6 Prelu LeakyRelu Selu Softplus Asin Acos Atan ' +
  'Sinh Asinh Acosh Atanh ArgMax ArgMin Cumsum Cumprod'
).split(' ')

/**
 * Mends kernels of TF.js's `cpu` backend, the engine `js`, which the others are held against: casts to a wider type kept the old
 * array under the new name; `cumsum` and `cumprod` took no negative axis; `abs` lost digits of int32; `tensorScatterUpdate` wrote
 * into the tensor that it was given; products of batches of different rank or size mixed them up; arithmetic on booleans
 * wrapped around in bytes. Once is enough; a second call changes nothing.
 */
export function mendKernels(): void {
  if (mended) return
  mended = true
  replace('Cast', widened)
  for (const name of ['Cumsum', 'Cumprod']) replace(name, withPositiveAxis)
  replace('Abs', exactAbs)
  replace('TensorScatterUpdate', onCopy)
  replace('BatchMatMul', withWholeBatches)
  for (const name of COUNTS_BOOLEANS) replace(name, (old) => countingBooleans(old))
  replace('RealDiv', (old) => countingBooleans(old, 'float32'))
}

let mended = false

function replace(kernelName: string, mend: (old: Kernel) => Kernel): void {
  const known = getKernel(kernelName, BACKEND)
  if (known === null || known === undefined) return
  unregisterKernel(kernelName, BACKEND)
  registerKernel({ ...known, kernelFunc: mend(known.kernelFunc as unknown as Kernel) as unknown as KernelFunc })
}

function widened(old: Kernel): Kernel {
  return (call) => {
    const x = call.inputs['x']!
    const dtype = call.attrs['dtype'] as TensorInfo['dtype']
    const widens = x.dtype !== dtype && (dtype === 'float32' || (dtype === 'int32' && x.dtype === 'bool'))
    return widens && x.dtype !== 'complex64' ? converted(call.backend, x, dtype) : old(call)
  }
}

function converted(backend: CpuBackend, x: TensorInfo, dtype: 'float32' | 'int32'): TensorInfo {
  const { values } = backend.data.get(x.dataId)
  const own = dtype === 'float32' ? Float32Array.from(values) : Int32Array.from(values)
  return backend.makeTensorInfo(x.shape, dtype, own)
}

function withPositiveAxis(old: Kernel): Kernel {
  return (call) => {
    const axis = call.attrs['axis'] as number
    const rank = call.inputs['x']!.shape.length
    return old({ ...call, attrs: { ...call.attrs, axis: axis < 0 ? axis + rank : axis } })
  }
}

function exactAbs(old: Kernel): Kernel {
  return (call) => {
    const { backend } = call
    const x = call.inputs['x']!
    if (x.dtype !== 'int32') return old(call)
    return backend.makeTensorInfo(x.shape, 'int32', (backend.data.get(x.dataId).values as Int32Array).map(Math.abs))
  }
}

/** TF.js repeats a smaller batch from its start on, which is a broadcast only along the first axes: [2, 1] by [3] it gets wrong. */
function withWholeBatches(old: Kernel): Kernel {
  return (call) => {
    const { backend, inputs } = call
    const [a, b] = [inputs['a']!, inputs['b']!]
    const batch = broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
    const whole = [a, b].map((info) => {
      const own = info.shape.slice(0, -2)
      const repeatsWhole = sizeOf(own) === 1 || own.every((size, i) => size === batch.at(i - own.length))
      return repeatsWhole ? info : repeated(backend, info, batch)
    }) as [TensorInfo, TensorInfo]
    const result = old({ ...call, inputs: { a: whole[0], b: whole[1] } })
    for (const [i, info] of [a, b].entries()) if (whole[i] !== info) backend.disposeIntermediateTensorInfo(whole[i]!)
    return result
  }
}

/** Matrices [..., M, N] copied to a larger batch. */
function repeated(backend: CpuBackend, info: TensorInfo, batch: readonly number[]): TensorInfo {
  const { values } = backend.data.get(info.dataId)
  const own = info.shape.slice(0, -2)
  const size = sizeOf(info.shape.slice(-2))
  const filled = new (values.constructor as new (length: number) => Data)(sizeOf(batch) * size)
  for (let i = 0; i < sizeOf(batch); i++) {
    let [from, stride, rest] = [0, 1, i]
    for (let axis = 1; axis <= batch.length; axis++) {
      const at = rest % batch.at(-axis)!
      rest = Math.floor(rest / batch.at(-axis)!)
      const count = own.at(-axis) ?? 1
      from += (count === 1 ? 0 : at) * stride
      stride *= count
    }
    filled.set(values.subarray(from * size, (from + 1) * size), i * size)
  }
  return backend.makeTensorInfo([...batch, ...info.shape.slice(-2)], info.dtype, filled)
}

function onCopy(old: Kernel): Kernel {
  return (call) => {
    const { backend, inputs } = call
    const given = inputs['tensor']!
    const tensor = backend.makeTensorInfo(given.shape, given.dtype, backend.data.get(given.dataId).values.slice())
    return old({ ...call, inputs: { ...inputs, tensor } })
  }
}

function countingBooleans(old: Kernel, type: 'int32' | 'float32' = 'int32'): Kernel {
  return (call) => {
    const made: TensorInfo[] = []
    const given = Object.entries(call.inputs as Readonly<Record<string, TensorInfo | undefined>>)
    const entries = given.map(([name, info]): [string, TensorInfo | undefined] => {
      // Optional inputs are absent.
      if (info?.dtype !== 'bool') return [name, info]
      const counted = converted(call.backend, info, type)
      made.push(counted)
      return [name, counted]
    })
    if (made.length === 0) return old(call)
    const inputs = Array.isArray(call.inputs) ? entries.map(([, info]) => info) : Object.fromEntries(entries)
    try {
      return old({ ...call, inputs: inputs as NamedTensorInfoMap })
    } finally {
      for (const info of made) call.backend.disposeIntermediateTensorInfo(info)
    }
  }
}

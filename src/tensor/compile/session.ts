import { InferenceSession, Tensor } from 'onnxruntime-node'
import { ArmatureError } from '../../core/errors.ts'
import type { NdArray, NdData } from '../../core/ndarray.ts'
import { dtypeOf, sizeOf } from '../../core/ndarray.ts'
import { engineInfo, executionProviders } from '../engine.ts'
import type { tf } from '../tf.ts'
import { checkScalars } from './check.ts'
import { lower } from './lower.ts'
import type { OnnxGraph, OnnxValue } from './onnx-model.ts'
import { encodeModel } from './onnx-model.ts'
import type { Trace } from './trace.ts'
import { commit, liveTensor, spareTensor } from './variables.ts'

/** One compiled graph, for one set of input shapes. */
export interface CompiledGraph {
  run(inputs: Readonly<Record<string, NdArray>>): Promise<Record<string, NdArray>>
  release(): Promise<void>
}

/**
 * onnxruntime-node writes results into the arrays that it is given, but then also copies each into a new one, which for the
 * state of an optimiser costs more than the arithmetic on it (3 MB: 0.4-12 ms instead of 0.16). A first output of
 * a type that it cannot convert, an empty sequence, ends the call between the two. The error costs 8 us, more than a copy of
 * {@link COPIED_ELEMENTS}.
 */
const SENTINEL: OnnxValue = { name: 'sentinel', type: 'float32', shape: [], sequence: true }
const SENTINEL_ERROR = 'Non tensor type is temporarily not supported'
/** Programs with no more elements in their results let them be copied. */
const COPIED_ELEMENTS = 4096

/** Hands the graph to ONNX Runtime. */
export async function createSession(program: string, traced: Trace): Promise<CompiledGraph> {
  const { onnx, reads, writes } = bindVariables(program, traced)
  const written = onnx.outputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const isCopied = written > 0 && written <= COPIED_ELEMENTS
  const session = await load(program, isCopied ? onnx : withSentinel(onnx))
  const fed = traced.inputs.filter(({ name }) => session.inputNames.includes(inputName(name)))
  return {
    run: async (inputs) => {
      const feeds: Record<string, Tensor> = {}
      for (const { name } of fed) feeds[inputName(name)] = toTensor(inputs[name]!)
      for (const { name, variable, offset, shape } of reads) feeds[name] = liveTensor(variable, offset, shape)
      const results = traced.outputs.map(({ name, value }) => [name, emptyTensor(value)] as const)
      const fetches: Record<string, Tensor | null> = isCopied ? {} : { [SENTINEL.name]: null }
      for (const [name, tensor] of results) fetches[outputName(name)] = tensor
      for (const [name, variable] of writes) fetches[name] = spareTensor(variable)
      await runSession(program, session, feeds, fetches)
      const outputs = Object.fromEntries(results.map(([name, tensor]) => [name, toNdArray(tensor)]))
      checkScalars(program, outputs)
      for (const [, variable] of writes) commit(variable)
      return outputs
    },
    release: () => session.release(),
  }
}

interface Read {
  readonly name: string
  readonly variable: tf.Variable
  readonly offset: number
  readonly shape: readonly number[]
}

type Write = readonly [name: string, variable: tf.Variable]

function bindVariables(program: string, traced: Trace): { onnx: OnnxGraph; reads: Read[]; writes: Write[] } {
  const { graph, inputs, outputs, variables, assigned } = traced
  const { onnx, blocks } = lower(
    graph,
    program,
    inputs.map(({ name, value }) => ({ name: inputName(name), value })),
    [
      ...outputs.map(({ name, value }) => ({ name: outputName(name), value })),
      ...assigned.map(({ value }, i) => ({ name: `assign/${i}`, value })),
    ],
  )
  return {
    onnx,
    reads: blocks.map((block) => ({ ...block, variable: variables[block.variable]! })),
    writes: assigned.map(({ variable }, i) => [`assign/${i}`, variable]),
  }
}

function inputName(name: string): string {
  return `input/${name}`
}

function outputName(name: string): string {
  return `output/${name}`
}

function withSentinel(onnx: OnnxGraph): OnnxGraph {
  const node = { op: 'SequenceEmpty', domain: '', inputs: [], outputs: [SENTINEL.name], attributes: {} }
  return { ...onnx, nodes: [node, ...onnx.nodes], outputs: [SENTINEL, ...onnx.outputs] }
}

async function load(program: string, onnx: OnnxGraph): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(encodeModel(onnx), sessionOptions(onnx.nodes.length))
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new ArmatureError('unsupported-op', `program ${program} does not load on the onnx engine`, {
      got: `${operatorIn(message)} with operands that it does not take`,
      fix: 'convert them with tf.cast, write it in other ops, or choose the engine js',
      cause,
    })
  }
}

/**
 * Optimisers of ONNX Runtime that find nothing in graphs of ours (quantisation, attention, convolutions) but search them all
 * the same, a few milliseconds per thousand nodes each.
 */
const IDLE_OPTIMISERS = [
  'AttentionFusion BiasDropoutFusion BiasGeluFusion BiasSkipLayerNormFusion BiasSoftmaxFusion ConvActivationFusion',
  'ConvAddActivationFusion DoubleQDQPairsRemover DynamicQuantizeMatMulFusion EmbedLayerNormFusion FastGeluFusion',
  'EnsureUniqueDQForNodeUnit GatherSliceToSplitFusion GatherToSliceFusion GeluFusionL1 GeluFusionL2 LayerNormFusionL1',
  'GroupQueryAttentionFusion GroupQueryAttentionPreNormFusion LayerNormFusionL2 MatMulActivationFusion MatMulAddFusion',
  'MatMulIntegerToFloatFusion MatMulNBitsFusion MatMulScaleFusion NchwcTransformer NhwcTransformer QDQPropagationTransformer',
  'QDQFinalCleanupTransformer QDQS8ToU8Transformer QDQSelectorActionTransformer QuickGeluFusion SimplifiedLayerNormFusion',
  'SkipLayerNormFusion SliceConcatToSpaceToDepthFusion WeightBiasQuantization WhereDummyDq',
].flatMap((line) => line.split(' '))

/** Optimisers that find little which the compiler has not done itself: left out where they would search long. */
const THOROUGH_OPTIMISERS = [
  'CommonSubexpressionElimination ConstantFolding ConstantSharing Level1_RuleBasedTransformer MatmulTransposeFusion',
  'ReshapeFusion TransposeOptimizer TransposeOptimizer_CPUExecutionProvider Level2_RuleBasedTransformer',
].flatMap((line) => line.split(' '))

/** Graphs with more nodes, as long recurrent networks have, are loaded without a thorough search. */
const MANY_NODES = 2000

function sessionOptions(nodeCount: number): InferenceSession.SessionOptions {
  const left = nodeCount > MANY_NODES ? [...IDLE_OPTIMISERS, ...THOROUGH_OPTIMISERS] : IDLE_OPTIMISERS
  return {
    executionProviders: [...executionProviders()],
    intraOpNumThreads: engineInfo().threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // Failed runs throw, in words of our own; ONNX Runtime would print them as well.
    logSeverityLevel: 4,
    // Threads that spin while they wait take the cores from the simulator: with both cores of a machine in use, a training step on two
    // threads took twice as long with it.
    extra: {
      session: { intra_op: { allow_spinning: '0' } },
      optimization: { disable_specified_optimizers: left.join(';') },
    },
  }
}

async function runSession(
  program: string,
  session: InferenceSession,
  feeds: Record<string, Tensor>,
  fetches: Record<string, Tensor | null>,
): Promise<void> {
  try {
    await session.run(feeds, fetches)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (message.includes(SENTINEL_ERROR)) return
    throw explainRun(program, message, error)
  }
}

/** Which of its operators ONNX Runtime complains of, as far as it says. */
function operatorIn(message: string): string {
  const name = /(?:for|running|operator|Op|Optype) \(?(\w+)(?:\(\d+\))?\)?(?: node| in|\)| bound|$)/.exec(message)?.[1]
  return name === undefined ? 'an operator' : `operator ${name}`
}

/** What a user can make of a failed run: in a graph whose shapes were checked, an index out of range as a rule. */
function explainRun(program: string, message: string, cause: unknown): ArmatureError {
  if (/out of data bounds|invalid index/.test(message)) {
    return new ArmatureError(
      'bad-value',
      `program ${program}: an index lies outside of the tensor that it picks from`,
      {
        expected: 'indices from 0 to the size of the axis - 1',
        got: `the failing operator ${operatorIn(message).replace('operator ', '')}`,
        fix: 'check the indices of gather, gatherND and scatterND',
        cause,
      },
    )
  }
  return new ArmatureError('bad-value', `program ${program} failed on the onnx engine`, {
    got: operatorIn(message),
    fix: 'run it on the engine js to see which values it was given',
    cause,
  })
}

function toTensor({ data, shape }: NdArray): Tensor {
  if (data instanceof Float32Array) return new Tensor('float32', data, shape)
  if (data instanceof Int32Array) return new Tensor('int32', data, shape)
  return new Tensor(dtypeOf(data), data as Uint8Array, shape)
}

function emptyTensor({ type, shape }: { readonly type: string; readonly shape: readonly number[] }): Tensor {
  const size = sizeOf(shape)
  if (type === 'float32') return new Tensor('float32', new Float32Array(size), shape)
  if (type === 'int32') return new Tensor('int32', new Int32Array(size), shape)
  return new Tensor('bool', new Uint8Array(size) as unknown as boolean[], shape)
}

function toNdArray(tensor: Tensor): NdArray {
  return { data: tensor.data as NdData, shape: [...tensor.dims] }
}

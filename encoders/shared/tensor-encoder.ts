import type { BatchKind, Batches } from '../../src/core/batches.ts'
import type { EncoderInput, InputData } from '../../src/core/encoder-input.ts'
import { inputShape } from '../../src/core/encoder-input.ts'
import type { Encoder, EncoderSpec, LearningEncoder } from '../../src/core/encoder.ts'
import type { Metrics, NamedArrays, NdArray } from '../../src/core/ndarray.ts'
import type { Rng } from '../../src/core/rng.ts'
import { Adam } from '../../src/tensor/adam.ts'
import type { Program } from '../../src/tensor/compile/program.ts'
import { compile } from '../../src/tensor/compile/program.ts'
import type { FeatureNetwork, FrameTensors } from '../../src/tensor/features.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import type { Stateful, Weights } from '../../src/tensor/parameters.ts'
import {
  ParameterGroup,
  Parameters,
  restoreParts,
  saveParts,
  valueAndFlatGradient,
} from '../../src/tensor/parameters.ts'
import type { tf } from '../../src/tensor/tf.ts'
import { encodeInput, inputArray, requireSameInput } from './frames.ts'

/** What the weights look at, beside them in a file: networks without a dense layer take frames of any size. */
const INPUT = 'input/shape'

/** Tensors by name, as a compiled function sees its inputs. */
export type Tensors = Readonly<Record<string, tf.Tensor>>

/** Loss terms, of which `loss` [] is minimised. */
export type LossTerms = Readonly<Record<string, tf.Tensor>> & { readonly loss: tf.Tensor }

interface Disposable {
  dispose(): void
}

/**
 * What all encoders of the catalogue share: programs, state and their end. One that learns extends {@link TrainedEncoder}; one that does
 * not says in `latentFunction` what its latents are.
 */
export abstract class TensorEncoder<K extends BatchKind = 'frames'> implements Encoder<K> {
  readonly spec: EncoderSpec<K>
  readonly #owned: Disposable[] = []
  readonly #parts: Record<string, Stateful> = {}
  readonly #encode: Program<string, 'latents'>
  /** There where `goalFunction` is. */
  declare readonly encodeGoal?: Encoder['encode']

  constructor(spec: EncoderSpec<K>) {
    this.spec = spec
    this.#encode = this.#latents('encode', (inputs) => this.latentFunction(inputs))
    if (this.goalFunction === undefined) return
    const program = this.#latents('encode goal', (inputs) => this.goalFunction!(inputs))
    this.encodeGoal = (input) => encodeInput(spec, input, async (rows) => (await program.run(rows)).latents)
  }

  /** Latents [B, latentSize] as a pure function of tensors: what `encode` runs, and what is exported in front of an agent. */
  abstract latentFunction(inputs: FrameTensors): tf.Tensor

  /** The same for pictures of goals, where they go through a network of their own. */
  goalFunction?(inputs: FrameTensors): tf.Tensor

  encode(input: EncoderInput<InputData>): Promise<Float32Array> {
    return encodeInput(this.spec, input, async (rows) => (await this.#encode.run(rows)).latents)
  }

  #latents(name: string, latents: (inputs: FrameTensors) => tf.Tensor): Program<string, 'latents'> {
    const { takesContext } = this.spec
    return this.program(name, (inputs: Tensors) => ({
      latents: latents({ frames: inputs['frames']!, ...(takesContext && { context: inputs['context']! }) }),
    }))
  }

  /** Nothing where there is nothing to restore. */
  save(): NamedArrays {
    const arrays = saveParts(this.#parts)
    return Object.keys(arrays).length === 0 ? arrays : { ...arrays, [INPUT]: inputArray(this.spec) }
  }

  /** @throws ArmatureError `bad-shape` for weights that look at other inputs; as `restoreParts` */
  restore({ [INPUT]: input, ...arrays }: NamedArrays): void {
    if (input !== undefined) requireSameInput(this.spec, input)
    restoreParts(this.spec.name, this.#parts, arrays)
  }

  dispose(): void {
    for (const thing of this.#owned) thing.dispose()
  }

  /** A compiled function of this encoder, see `compile`; it ends with it. */
  protected program<I extends string, O extends string>(
    name: string,
    fn: (inputs: Record<I, tf.Tensor>) => Record<O, tf.Tensor>,
  ): Program<I, O> {
    return this.own(compile(`${this.spec.name} ${name}`, fn))
  }

  /** Makes `part` belong to the state that is saved, under that name. */
  protected saved<T extends Stateful>(name: string, part: T): T {
    this.#parts[name] = part
    return part
  }

  /** Makes `thing` end with this encoder. */
  protected own<T extends Disposable>(thing: T): T {
    this.#owned.push(thing)
    return thing
  }
}

/** What a {@link TrainedEncoder} is made of. */
export interface Networks {
  /** What maps frames to latents, and can be shared with an agent, see {@link FeatureNetwork}. */
  readonly features: Pick<Layer, 'parameters'>
  /** Decoders, projections, models: all else that learns. The names of all parameters differ. */
  readonly heads?: readonly Pick<Layer, 'parameters'>[]
  /** Adam step size. */
  readonly learningRate: number
}

/**
 * An encoder that learns by gradient steps on one loss. A method says which networks it has (to the constructor), what its latents are
 * ({@link latents}), what it needs of a batch ({@link inputs}) and what the loss is ({@link loss}); the rest is here. `encoders/README.md`
 * has an example.
 */
export abstract class TrainedEncoder<K extends BatchKind> extends TensorEncoder<K> implements LearningEncoder<K> {
  readonly features: FeatureNetwork
  /** Features and heads: all that the loss is differentiated by. */
  protected readonly weights: ParameterGroup
  readonly #rng: Rng
  readonly #adam: Adam
  readonly #update: Program<string, string>
  readonly #evaluate: Program<string, string>

  constructor(spec: EncoderSpec<K>, { features, heads = [], learningRate }: Networks, rng: Rng) {
    super(spec)
    this.#rng = rng
    const drawn = rng.split('weights')
    const parameters = this.own(new Parameters(features.parameters, drawn))
    const headSpecs = heads.flatMap((head) => head.parameters)
    const own = headSpecs.length === 0 ? [] : [this.own(new Parameters(headSpecs, drawn))]
    this.features = {
      inputShape: spec.isVector ? spec.frameShape.slice(2) : inputShape(spec),
      ...(spec.isVector && { isVector: true }),
      size: spec.latentSize,
      parameters,
      apply: (weights, frames) => this.latents(weights, { frames }),
    }
    this.weights = this.saved('weights', new ParameterGroup([parameters, ...own]))
    this.#adam = this.own(this.saved('adam', new Adam(this.weights, { learningRate })))
    this.#update = this.program('update', ({ adam, ...inputs }: Record<string, tf.Tensor>) => {
      const { values, flatGradient } = valueAndFlatGradient(this.weights, (weights) => this.loss(weights, inputs))
      this.#adam.apply(flatGradient, adam!)
      this.afterStep()
      return values
    })
    this.#evaluate = this.program('evaluate', (inputs: Tensors) => this.loss(this.weights.split(), inputs))
  }

  /** Latents [B, latentSize] by the weights of the features, which stand in `weights`; gradients flow into them. */
  protected abstract latents(weights: Weights, inputs: FrameTensors): tf.Tensor

  /** The loss and its terms; gradients flow into `weights`. `inputs` are those that {@link inputs} named. */
  protected abstract loss(weights: Weights, inputs: Tensors): LossTerms

  /**
   * What the loss takes, from a batch. `rng` is a stream for this step alone, so that nothing of it has to be saved.
   * @throws ArmatureError `bad-shape` for frames that the encoder does not take.
   */
  protected abstract inputs(batch: Batches[K], purpose: 'update' | 'evaluate', rng: Rng): Record<string, NdArray>

  /** What follows each step within the same program: assignments, e.g. of a momentum copy. */
  protected afterStep(): void {}

  /** What is reported; default: the scalars among the loss terms. */
  protected metrics(terms: Readonly<Record<string, NdArray>>): Metrics {
    const scalars = Object.entries(terms).filter(([, { data }]) => data.length === 1)
    return Object.fromEntries(scalars.map(([name, { data }]) => [name, data[0]!]))
  }

  /** Gradient steps so far. */
  protected get step(): number {
    return this.#adam.step
  }

  latentFunction(inputs: FrameTensors): tf.Tensor {
    return this.latents(this.features.parameters.split(), inputs)
  }

  async update(batch: Batches[K]): Promise<Metrics> {
    const terms = await this.#update.run({ ...this.#inputs(batch, 'update'), adam: this.#adam.stepScalars() })
    this.#adam.advance()
    return this.metrics(terms)
  }

  async evaluate(batch: Batches[K]): Promise<Metrics> {
    return this.metrics(await this.#evaluate.run(this.#inputs(batch, 'evaluate')))
  }

  #inputs(batch: Batches[K], purpose: 'update' | 'evaluate'): Record<string, NdArray> {
    return this.inputs(batch, purpose, this.#rng.split(`${purpose}/${this.step}`))
  }
}

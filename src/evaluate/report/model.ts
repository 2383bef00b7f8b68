/** A frame of the dataset. */
export interface FrameRef {
  /** Index of its episode in the dataset. */
  readonly episode: number
  /** Observation of its episode, from 0. */
  readonly time: number
}

/** What happened in an episode, as far as a reward should tell. */
export type EpisodeKind = 'successful' | 'failed' | 'reversed' | 'adversarial'

/** Reward along one episode. */
export interface Curve {
  readonly kind: EpisodeKind
  readonly episode: number
  /** One value an observation: minus the distance to the episode's goal, in the unit of {@link Figures} that holds it. */
  readonly values: readonly number[]
}

/** A frame beside the one it is compared with. */
export interface Neighbour extends FrameRef {
  /** Distance of the embeddings, in units of the median distance of two random frames. */
  readonly embedded: number
  /** Distance of the states, in the unit of the task. */
  readonly true: number
}

/** A frame with the frames of other episodes whose embeddings lie nearest to its own. */
export interface Retrieval {
  readonly query: FrameRef
  readonly nearest: readonly Neighbour[]
}

/** A frame that is paid well and is no success. */
export interface Hack extends FrameRef {
  /** Minus the distance of the embeddings, in units of the median distance of two random frames. */
  readonly reward: number
  /** Distance of its state to the goal of its episode. */
  readonly true: number
}

/** Mean reward over the frames whose object lies in a cell of the plane, for one goal. */
export interface HeatMap {
  /** What moves in the plane, e.g. `puck`. */
  readonly subject: string
  readonly cells: readonly { readonly x: number; readonly y: number; readonly value: number; readonly count: number }[]
  /** Edge of a cell, in metres. */
  readonly cellM: number
  /** Where the goal is, where the goal says it. */
  readonly goal?: { readonly x: number; readonly y: number }
}

/** Linear readout of one state variable. */
export interface ProbeScore {
  readonly variable: string
  /** R2 on held-out episodes. */
  readonly r2: number
}

/** What the page draws of one encoder. */
export interface Figures {
  readonly curves: readonly Curve[]
  /** Pairs of frame and goal: their distance in the embedding and in truth. */
  readonly pairs: readonly { readonly embedded: number; readonly true: number }[]
  readonly retrievals: readonly Retrieval[]
  /** Queries whose nearest neighbour is the farthest in truth. */
  readonly confusions: readonly Retrieval[]
  readonly heatMaps: readonly HeatMap[]
  /** Standard deviation of each dimension, largest first. */
  readonly std: readonly number[]
  /** Share of the variance along each principal axis, largest first. */
  readonly spectrum: readonly number[]
  readonly probes: readonly ProbeScore[]
  readonly hacks: readonly Hack[]
}

/** How an encoder takes part: as what is asked about, as a control, or as what no camera can beat. */
export type EncoderRole = 'candidate' | 'baseline' | 'oracle'

/** How a cell stands to the baseline, by the paired difference on the same episodes. */
export type Standing = 'better' | 'worse' | 'undecided'

/** An estimate and its 95 % interval; null: not defined, or too few episodes for an interval. */
export interface Estimate {
  readonly estimate: number | null
  readonly low: number | null
  readonly high: number | null
}

/** One measure of one encoder. */
export interface Cell extends Estimate {
  /** Episodes that it was taken over. */
  readonly episodes: number
  readonly undefinedBecause?: string
  /** Encoder minus baseline over the same episodes. */
  readonly difference?: Estimate
  /** By the p-value of the difference after Holm's correction over the encoders. */
  readonly standing?: Standing
}

/** A measure of the table. */
export interface MeasureColumn {
  /** E.g. `distance/spearman`, with the variable behind it where there are several. */
  readonly name: string
  readonly title: string
  readonly direction: 'higher' | 'lower' | 'none'
  /** Value of an embedding that knows nothing, where there is one. */
  readonly chance?: number
  /** Value of a perfect embedding, where there is one. */
  readonly best?: number
}

/** One encoder of the report. */
export interface EncoderReport {
  readonly name: string
  readonly role: EncoderRole
  /** Where it came from: a run folder, or how the control was made. */
  readonly source: string
  readonly camera?: string
  readonly latentSize: number
  /** SHA-256 of its weights, where it has weights. */
  readonly hash?: string
  /** By name of the measure; absent where it was not measured. */
  readonly cells: Readonly<Record<string, Cell>>
  readonly verdict: Verdict
}

/** What may be said of an encoder, in one line. */
export interface Verdict {
  readonly text: string
  /** `reference` of the oracle and of the baseline itself, which are not judged. */
  readonly kind: 'good' | 'doubtful' | 'bad' | 'reference'
}

/** What was measured on what. */
export interface Provenance {
  readonly dataset: string
  /** SHA-256 over the files of the dataset. */
  readonly datasetHash: string
  readonly env: string
  readonly seed: number
  readonly trainEpisodes: readonly number[]
  readonly testEpisodes: readonly number[]
  /** Held-out episodes by class. */
  readonly counts: readonly ClassCount[]
  /** Name and settings of the reward that is measured; absent: minus the distance to the goal. */
  readonly reward?: string
  readonly goals: string
  readonly trueDistance: string
  readonly successRadius?: number
  readonly versions: Readonly<Record<string, string>>
  /** The command line that makes the report again. */
  readonly command: string
  readonly problems: readonly string[]
}

/** How many episodes of a class there are. */
export interface ClassCount {
  readonly policy: string
  readonly train: number
  readonly test: number
  /** Held-out episodes that ended in success. */
  readonly successes: number
}

/** What `--json-out` writes: everything on the page but pictures and plots. */
export interface RewardsReport {
  /** Rises whenever the meaning of a field changes. */
  readonly schemaVersion: 2
  readonly provenance: Provenance
  /** Name of the encoder that all others are compared with. */
  readonly baseline?: string
  readonly measures: readonly MeasureColumn[]
  readonly encoders: readonly EncoderReport[]
  /** Measures that these data do not allow, with what is missing. */
  readonly leftOut: readonly { readonly name: string; readonly because: string }[]
}

/** Numbers of one run, by name. */
export type Scores = Readonly<Record<string, number>>

/** A paper's claim, made again offline: variants that are trained and measured alike, once a seed. */
export interface Claim {
  readonly name: string
  readonly variants: readonly string[]
  /** What each score is, with what should come out. */
  readonly columns: Readonly<Record<string, string>>
  run(variant: string, seed: number): Promise<Scores>
}

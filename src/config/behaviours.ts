/** What `collect` can do without a trained run. */
export const BEHAVIOURS = ['scripted', 'random', 'partial', 'noisy', 'slow', 'adversarial'] as const

/** A class of behaviour or a run folder, and its share relative to the others'. */
export interface PolicyShare {
  readonly name: string
  readonly share: number
}

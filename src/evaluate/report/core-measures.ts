/** How the page names a measure of its main table, and what that says of an embedding. */
interface CoreText {
  readonly title: string
  readonly meaning: string
}

/** The measures of the main table, in its order: those that a reward stands or falls with. */
const CORE: Readonly<Record<string, CoreText>> = {
  'distance/spearman_episode': {
    title: 'Ranks progress within an episode',
    meaning:
      'Spearman’s rank correlation, within each episode, of the reward with minus the true distance to the goal; mean over episodes. 1: whatever is nearer to the goal is paid more. 0: no relation.',
  },
  'distance/spearman': {
    title: 'Ranks states across goals',
    meaning:
      'The same over the frames of all episodes together: also asks whether the reward means the same distance for different goals.',
  },
  'success/auc': {
    title: 'Tells success from failure',
    meaning:
      'Chance that a successful episode ends with more reward than a failed one (area under the ROC curve). 0.5: a coin.',
  },
  'adversarial/auc': {
    title: 'Tells success from tricks',
    meaning:
      'The same against adversarial episodes alone, which look like success without being it, e.g. the arm at its goal without the object. Below 0.5 the trick is paid more than the task.',
  },
  'value/voc_expert': {
    title: 'Rises along expert episodes',
    meaning:
      'Rank correlation of reward and time along successful expert episodes. Any clock scores 1: on its own it supports nothing; the next column and the tricks must agree.',
  },
  'value/voc_failed': {
    title: 'Rises along failed episodes',
    meaning: 'The same along failed ones. As high as along expert episodes: the reward counts time, not progress.',
  },
  'reward/dard': {
    title: 'Distance to the true reward (DARD)',
    meaning:
      'How differently the reward and minus the true distance judge steps that can happen, whatever their scale. 0: the same; 0.71: unrelated; 1: opposite.',
  },
  'goals/false_maxima': {
    title: 'Best-paid frames are off by',
    meaning:
      'How far from the goal the best-paid 1 % of all frames are in truth, beyond the nearest that there are. 0: the best-paid are the nearest. 1: random frames.',
  },
  'neighbours/error': {
    title: 'Nearest neighbour is off by',
    meaning:
      'True distance to the frame of another episode with the nearest embedding, beyond the best there is. 0: always the right one. 1: a random frame.',
  },
  'collapse/effective_rank': {
    title: 'Effective rank',
    meaning: 'Over how many directions the embeddings spread. Near 1: collapsed onto a line, whatever the size.',
  },
}

/** Whether a measure stands in the main table. */
export function isCore(name: string): boolean {
  return Object.hasOwn(CORE, name)
}

/** Names of the main table's measures in its order. */
export function coreOrder(): readonly string[] {
  return Object.keys(CORE)
}

/** How the page names it. */
export function coreText(name: string): CoreText | undefined {
  return CORE[name]
}

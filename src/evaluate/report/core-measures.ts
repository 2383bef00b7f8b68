/** How the page names a measure of its main table, and what that says of an embedding. */
interface CoreText {
  readonly title: string
  readonly meaning: string
}

/**
 * The measures of the main table, in its order: those that were shown to predict how well a policy learns on the embedding. All but the
 * two at the end order twelve representations as SAC does (docs/results/offline-measures.md); those two are Zhang et al.'s, on Atari.
 */
const CORE: Readonly<Record<string, CoreText>> = {
  'distance/spearman': {
    title: 'Ranks states across goals',
    meaning:
      'Spearman’s rank correlation, over the frames of all episodes, of the reward with minus the true distance to the goal. 1: whatever is nearer to its goal is paid more. 0: no relation.',
  },
  'distance/spearman_episode': {
    title: 'Ranks progress within an episode',
    meaning: 'The same within each episode, mean over episodes.',
  },
  'reward/epic': {
    title: 'Distance to the true reward (EPIC)',
    meaning:
      'How differently the reward and minus the true distance pay, whatever their scale. 0: the same; 0.71: unrelated; 1: opposite.',
  },
  'reward/dard': {
    title: 'The same on steps (DARD)',
    meaning: 'The same over steps that can happen from one state.',
  },
  'probe/linear_r2': {
    title: 'State read by a line (R2)',
    meaning: 'How much of the variance of the state a linear probe reads from the embedding, on unseen episodes.',
  },
  'path/rising_steps': {
    title: 'Pays steps towards the goal',
    meaning: 'Share of the steps of experts towards their goal on which the reward rises. 0.5: a coin.',
  },
  'neighbours/error': {
    title: 'Nearest neighbour is off by',
    meaning:
      'True distance to the frame of another episode with the nearest embedding, beyond the best there is. 0: always the right one. 1: a random frame.',
  },
  'probe/inverse_r2': {
    title: 'Action read from two frames (R2)',
    meaning: 'How much of the action between two frames in a row a linear probe reads from their embeddings.',
  },
  'goals/false_maxima': {
    title: 'Best-paid frames are off by',
    meaning:
      'How far from the goal the best-paid 1 % of all frames are in truth, beyond the nearest that there are. 0: the best-paid are the nearest. 1: random frames.',
  },
  'probe/reward_r2': {
    title: 'Task’s reward read (R2)',
    meaning:
      'How much of the task’s own reward a linear probe reads from the embedding and its distances to the goal. Shown to predict returns on Atari, not here.',
  },
  'probe/expert_action_r2': {
    title: 'Expert’s action read (R2)',
    meaning:
      'How much of what the expert does a linear probe reads from the embeddings of frame and goal. Shown to predict returns on Atari, not here.',
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

import { agents } from '../../agents/index.ts'
import { encoders } from '../../encoders/index.ts'
import { envList } from '../../envs/index.ts'
import { goalForms } from '../compose/goal-forms.ts'
import { goalRewards } from '../compose/goal-rewards.ts'
import { goalSources } from '../compose/goal-sources.ts'
import { collectPresets } from '../config/collect-presets.ts'
import { presets } from '../config/presets.ts'
import { lookUp } from '../core/registry.ts'
import type { CliContext } from './context.ts'
import { table } from './table.ts'

interface ListEntry {
  readonly name: string
  readonly summary: string
}

/** An encoder, with what helps to choose one. */
interface EncoderListEntry extends ListEntry {
  /** What `--preset` of `pretrain` takes. */
  readonly presets: readonly string[]
  readonly needs?: string
  readonly goodAt?: string
  readonly badAt?: string
}

function encoderEntries(): EncoderListEntry[] {
  return Object.entries(encoders).map(([name, { summary, presets = {}, needs, goodAt, badAt }]) => ({
    name,
    summary,
    presets: Object.keys(presets),
    ...(needs !== undefined && { needs }),
    ...(goodAt !== undefined && { goodAt }),
    ...(badAt !== undefined && { badAt }),
  }))
}

/** A paragraph for each encoder. */
function encoderText(rows: readonly EncoderListEntry[]): string {
  const paragraphs = rows.map(({ name, summary, presets, needs, goodAt, badAt }) => {
    const facts = { needs, 'good at': goodAt, 'bad at': badAt, presets: presets.join(', ') }
    const lines = Object.entries(facts).flatMap(([key, fact]) => (fact ? [[`    ${key}`, fact]] : []))
    return `  ${name}: ${summary}\n${table(lines)}`
  })
  const help = 'which one when: docs/encoders.md; what each costs here: armature bench encoders'
  return `encoders\n${paragraphs.join('\n\n')}\n\n${help}\n`
}

/**
 * Everything that can be named on the command line, by kind.
 * @param kind prints and returns that kind alone.
 * @throws ArmatureError `not-found` for a kind that there is not.
 */
export function list(context: CliContext, kind?: string): Record<string, readonly ListEntry[]> {
  const entries = (catalogue: Readonly<Record<string, { readonly summary: string }>>): ListEntry[] =>
    Object.entries(catalogue).map(([name, { summary }]) => ({ name, summary }))
  const everything: Record<string, readonly ListEntry[]> = {
    presets: presets.map(({ name, summary }) => ({ name, summary })),
    datasets: entries(collectPresets),
    envs: envList().map(({ id, summary }) => ({ name: id, summary })),
    encoders: encoderEntries(),
    agents: entries(agents),
    'goal-sources': entries(goalSources),
    'goal-rewards': entries(goalRewards),
    'goal-forms': entries(goalForms),
  }
  if (kind === 'encoders') {
    context.print(encoderText(encoderEntries()))
    return { encoders: everything['encoders']! }
  }
  const chosen = kind === undefined ? everything : { [kind]: lookUp('kind', everything, kind) }
  for (const [title, rows] of Object.entries(chosen)) {
    context.print(`${title}\n${table(rows.map(({ name, summary }) => [`  ${name}`, summary]))}\n`)
  }
  return chosen
}

import { z } from 'zod'
import { pretrainConfigSchema } from '../config/pretrain-config.ts'
import { presets } from '../config/presets.ts'
import { trainConfigSchema } from '../config/train-config.ts'
import { table } from './table.ts'

interface JsonSchema {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly description?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
}

/** Named on the command line by other means. */
const NOT_SET = ['preset', 'encoder']

/** The settings that `--set` of a command can change, with their defaults, for its help. */
export function settingsText(command: 'train' | 'pretrain'): string {
  const schema = command === 'train' ? trainConfigSchema : pretrainConfigSchema
  const rows = rowsOf(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema, '')
  const unique = [...new Map(rows.map((row) => [row[0], row])).values()].filter(([key]) => !NOT_SET.includes(key!))
  const settings = `\nSettings for --set, with their defaults; those of an agent or encoder itself go under config:\n${table(unique.map((row) => [`  ${row[0]}`, ...row.slice(1)]))}`
  if (command === 'pretrain') return settings
  const names = table(
    presets.map(({ name, summary, config }) => [`  ${name}`, `${config.training.steps} steps`, summary]),
  )
  return `\nPresets, each with settings of its own:\n${names}\n${settings}`
}

/** One row a setting: its path, its default, and what it is. */
function rowsOf(schema: JsonSchema, path: string): string[][] {
  const { properties, description = '', default: value } = schema
  const branches = schema.anyOf ?? schema.oneOf
  if (branches !== undefined) return branches.flatMap((branch) => rowsOf(branch, path))
  if (properties !== undefined) {
    return Object.entries(properties).flatMap(([key, inner]) => rowsOf(inner, path === '' ? key : `${path}.${key}`))
  }
  const choices = schema.enum === undefined ? '' : ` (${schema.enum.join(', ')})`
  if (schema.const !== undefined) return []
  return [[path, value === undefined ? '' : JSON.stringify(value), `${description}${choices}`]]
}

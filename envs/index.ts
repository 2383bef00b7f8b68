import type { Env } from '../src/core/env.ts'
import { lookUp } from '../src/core/registry.ts'
import { makePushPuck, PUSH_PUCK_ID } from './tasks/push-puck.ts'

/** One registered scene. */
export interface EnvEntry {
  readonly summary: string
  make(options?: Readonly<Record<string, unknown>>): Promise<Env>
}

/** All scenes by id. */
export const envs: Readonly<Record<string, EnvEntry>> = {
  [PUSH_PUCK_ID]: {
    summary: 'push a puck to its goal and the hand to another: the Sawyer push task with a mocap hand',
    make: makePushPuck,
  },
}

/** Ids and one-line summaries, in the order of the catalogue. */
export function envList(): { readonly id: string; readonly summary: string }[] {
  return Object.entries(envs).map(([id, { summary }]) => ({ id, summary }))
}

/**
 * Makes a registered env.
 * @throws ArmatureError `not-found` with the nearest ids, `bad-argument` for an unknown or invalid option.
 */
export async function makeEnv(id: string, options: Readonly<Record<string, unknown>> = {}): Promise<Env> {
  return lookUp('env', envs, id).make(options)
}

import { setImmediate } from 'node:timers/promises'
import type { CheckResult } from '../../envs/check.ts'
import { checkEnv } from '../../envs/check.ts'
import { cases } from '../../envs/check-cases.ts'
import type { Env } from '../core/env.ts'
import { envs, makeEnv } from '../../envs/index.ts'
import { applyOverrides } from '../config/overrides.ts'
import type { CliContext } from './context.ts'
import { throwIfInterrupted } from './context.ts'
import { table } from './table.ts'

export interface CheckFlags {
  readonly seed: number
  /** Random steps of each case. */
  readonly steps: number
  /** `--set` assignments of env options, in order. */
  readonly set?: readonly string[]
}

/** How one env kept the contract. */
export interface EnvCheck {
  readonly env: string
  readonly ok: boolean
  readonly cases: readonly CheckResult[]
}

/** What `armature check` found; `ok` only when every case of every env holds. */
export interface CheckReport {
  readonly ok: boolean
  readonly seed: number
  readonly steps: number
  readonly envs: readonly EnvCheck[]
}

/**
 * Tests one env, or with `all` every registered one, against the contract that learning relies on.
 * @throws ArmatureError `not-found` for an unknown env, `bad-argument` for an option that it does not take, before any case runs.
 */
export async function check(
  context: CliContext,
  which: string,
  { seed, steps, set = [] }: CheckFlags,
): Promise<CheckReport> {
  const options = applyOverrides({}, set)
  const ids = which === 'all' ? Object.keys(envs) : [which]
  for (const id of ids) await (await makeEnv(id, options)).close()
  const checks: EnvCheck[] = []
  for (const id of ids) {
    const result = await checkOne(context, id, { options, seed, steps })
    context.print(textOf(result))
    checks.push(result)
  }
  if (ids.length > 1) context.print(summaryOf(checks))
  return { ok: checks.every(({ ok }) => ok), seed, steps, envs: checks }
}

interface Settings {
  readonly options: Readonly<Record<string, unknown>>
  readonly seed: number
  readonly steps: number
}

async function checkOne(context: CliContext, id: string, { options, seed, steps }: Settings): Promise<EnvCheck> {
  const phase = context.progress.phase(`check ${id}`, Object.keys(cases).length, { unit: 'cases' })
  let done = 0
  const results = await checkEnv(async () => interruptible(context, await makeEnv(id, options)), {
    seed,
    steps,
    onResult: async ({ name }) => {
      phase.update(++done, name)
      // Envs may answer without ever leaving the microtask queue: Ctrl-C gets its turn here.
      await setImmediate()
      throwIfInterrupted(context)
    },
  })
  phase.finish()
  return { env: id, ok: results.every(({ ok }) => ok), cases: results }
}

/** Steps from one turn of the event loop to the next. */
const TURN_STEPS = 50

/** The env, which Ctrl-C stops between two steps. */
function interruptible(context: CliContext, env: Env): Env {
  const step = env.step.bind(env)
  let steps = 0
  env.step = async (action) => {
    if (steps++ % TURN_STEPS === 0) await setImmediate()
    throwIfInterrupted(context)
    return step(action)
  }
  return env
}

function textOf({ env, ok, cases: results }: EnvCheck): string {
  const rows = results.map(({ name, ok: holds, detail }) => [holds ? '  ok  ' : '  FAIL', name, detail])
  const failed = results.filter((result) => !result.ok).length
  const verdict = ok ? `all ${results.length} cases hold` : `${failed} of ${results.length} cases fail`
  return `${env}\n${table(rows)}\n${env}: ${verdict}\n`
}

function summaryOf(checks: readonly EnvCheck[]): string {
  const failed = checks.filter(({ ok }) => !ok).map(({ env }) => env)
  return failed.length === 0
    ? `all ${checks.length} envs keep the contract`
    : `${failed.length} of ${checks.length} envs do not: ${failed.join(', ')}`
}

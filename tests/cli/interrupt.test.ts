import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Finished, Running } from './helpers.ts'
import { BIN, built } from '../built.ts'
import { runHere } from './in-process.ts'
import { runCli, sets, SLOW_MS, startCli, startNode, temporaryFolder, textOf, TINY_PUSH, until } from './helpers.ts'

const cwd = temporaryFolder()
/** Loaded before a program: time that it measures stands still. */
const STILL = built('still-clock.ts', import.meta.url)

const PENDULUM = [
  'sac-pendulum',
  ...sets({
    'agent.config.hidden': [8],
    'training.learningStarts': 50,
    'training.batchSize': 8,
    'training.logEvery': 20,
    'training.evalEvery': 1_000_000,
    'training.evalEpisodes': 1,
    'training.checkpointEvery': 1_000_000,
  }),
]

function stepsSaved(run: string): number[] {
  return readdirSync(join(run, 'checkpoints')).map((name) => Number(name.replace('step_', '')))
}

/** Exit code of an interrupted shell command; the last line says how to go on, and nothing looks like a crash. */
function expectInterrupted({ code, stdout, stderr }: Finished, expectedCode: number, how: string): void {
  expect({ code, stdout }, stderr).toEqual({ code: expectedCode, stdout: '' })
  expect(stderr).not.toContain('    at ')
  const last = stderr.trimEnd().split('\n').at(-1)!
  expect(last).toMatch(/^armature: stopped; /)
  expect(last).toContain(how)
}

function trainPendulum(
  run: string,
  env: Readonly<Record<string, string>> = {},
): { readonly running: Running; readonly hasTrained: () => boolean } {
  const running = startCli(cwd, ['train', ...PENDULUM, '--steps', '200000', '--out', run], env)
  return { running, hasTrained: () => textOf(join(run, 'metrics.jsonl')).includes('"step":60,') }
}

describe('Ctrl-C', { timeout: SLOW_MS }, () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    // A terminal that closes, and what a scheduler sends before it ends a job.
    ['SIGHUP', 129],
    ['SIGUSR1', 128 + constants.signals.SIGUSR1],
  ] as const)('during training saves, says how to go on, and going on works (%s)', async (signal, code) => {
    const run = join(cwd, `trained ${signal}`)
    const { running, hasTrained } = trainPendulum(run)
    await until(hasTrained, running)
    running.child.kill(signal)
    const finished = await running.finished
    const step = Math.max(...stepsSaved(run))
    expect(step).toBeGreaterThanOrEqual(60)
    expectInterrupted(finished, code, `saved at step ${step}: go on with "armature train --resume --out ${run}"`)

    if (signal === 'SIGHUP' || signal === 'SIGUSR1') return
    const steps = String(step + 10)
    const { code: resumedCode, stderr } = await runCli(cwd, ['train', '--resume', '--out', run, '--steps', steps])
    expect(resumedCode, stderr).toBe(0)
    expect(stepsSaved(run)).toContain(step + 10)
  })

  test.skipIf(process.platform === 'win32')('from the first moment on (SIGUSR1)', async () => {
    const run = join(cwd, 'just started')
    // Node hears it before it has read a line of ours, and opens its debugger.
    const early = join(cwd, 'early.cjs')
    writeFileSync(
      early,
      "process.kill(process.pid, 'SIGUSR1'); const { url } = require('node:inspector'); while (url() === undefined);",
    )
    const train = [BIN, 'train', ...PENDULUM, '--steps', '200000', '--out', run]
    const { code, stderr } = await startNode(['--require', early, ...train], cwd).finished
    expect(code).toBe(128 + constants.signals.SIGUSR1)
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^armature: stopped/)
  })

  test('within an evaluation saves, and the evaluation is done again', async () => {
    const args = [...PENDULUM, ...sets({ 'training.evalEvery': 40, 'training.evalEpisodes': 3 }), '--steps', '80']
    const [straight, stopped] = [join(cwd, 'straight'), join(cwd, 'stopped')]
    expect((await runHere(['train', ...args, '--out', straight])).code).toBe(0)
    let asked = 0
    const signal = new AbortController().signal
    // Asked once a step, and once an observation of an evaluation.
    Object.defineProperty(signal, 'aborted', { get: () => ++asked > 100 })
    const { code, stderr } = await runHere(['train', ...args, '--out', stopped], signal)
    expect({ code, end: stderr.includes('saved at step 40: go on with') }, stderr).toEqual({ code: 130, end: true })
    expect(textOf(join(stopped, 'metrics.jsonl'))).not.toContain('eval/mean_reward')
    expect((await runHere(['train', '--resume', '--out', stopped])).code).toBe(0)
    expect(textOf(join(stopped, 'metrics.jsonl'))).toBe(textOf(join(straight, 'metrics.jsonl')))
  })

  test('delivered more than once, as npm and tsx do, still saves and exits with its code', async () => {
    const run = join(cwd, 'twice')
    // On a busy machine a tenth of a second may take longer than two presses of the keys are apart.
    const { running, hasTrained } = trainPendulum(run, { NODE_OPTIONS: `--import ${pathToFileURL(STILL).href}` })
    await until(hasTrained, running)
    // Again and again for a tenth of a second: while it saves, when it has saved, and when it would be about to exit.
    for (let i = 0; i < 20; i++) {
      running.child.kill('SIGINT')
      await setTimeout(5)
    }
    expectInterrupted(await running.finished, 130, 'saved at step')
    expect(Math.max(...stepsSaved(run))).toBeGreaterThanOrEqual(60)
  })

  test('during pretraining stops, and --resume starts from the beginning', async () => {
    const run = join(cwd, 'pretrained')
    const endless = sets({ 'representation.pretrain.updates': 1_000_000 })
    const running = startCli(cwd, ['train', 'rig-push', ...TINY_PUSH, ...endless, '--out', run])
    await until(() => textOf(join(run, 'metrics.jsonl')).includes('embed/loss'), running)
    running.child.kill('SIGINT')
    const how = `no checkpoint before training: "armature train --resume --out ${run}" starts from the beginning`
    expectInterrupted(await running.finished, 130, how)
    expect(stepsSaved(run)).toEqual([])

    const evaluation = await runCli(cwd, ['eval', run])
    expect(evaluation.code).toBe(2)
    expect(evaluation.stderr).toBe(
      `armature: ${run} has no checkpoint yet; go on with "armature train --resume --out ${run}"\n`,
    )

    // So that a row in it comes from the process that is started now.
    rmSync(join(run, 'metrics.jsonl'))
    const resumed = startCli(cwd, ['train', '--resume', '--out', run])
    await until(() => textOf(join(run, 'metrics.jsonl')).includes('embed/loss'), resumed)
    resumed.child.kill('SIGINT')
    expect((await resumed.finished).code).toBe(130)
  })

  test('during the final evaluation says that the training is complete', async () => {
    const run = join(cwd, 'evaluated')
    const running = startCli(cwd, [
      'train',
      ...PENDULUM,
      ...sets({ 'training.finalEpisodes': 1_000_000 }),
      '--steps',
      '60',
      '--out',
      run,
    ])
    // What comes next would take hours.
    await until(() => running.output.stderr.includes('train sac-pendulum  60/60 steps  in '), running)
    running.child.kill('SIGINT')
    expectInterrupted(await running.finished, 130, 'the training is complete: go on with "armature train --resume')
  })
})

test('a run that fails ends with code 1 and a line that says why', { timeout: SLOW_MS }, async () => {
  const run = join(cwd, 'failed')
  // Rewards overflow float32.
  const args = ['train', 'rig-push', ...TINY_PUSH, ...sets({ 'goals.reward.config.scale': 1e42 }), '--out', run]
  const { code, stdout, stderr } = await runCli(cwd, args)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^armature: sac update: reward: got -Infinity at \d+$/)
})

import { mkdirSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ArmatureError } from '../../src/core/errors.ts'
import type { LogPosition, RunLogger } from '../../src/log/run-logger.ts'
import { openRunLogger } from '../../src/log/run-logger.ts'
import type { Clock } from '../../src/log/sink.ts'
import { readEventFile } from './event-file-reader.ts'
import { fakeClock, freshFolder } from './helpers.ts'

const folder = freshFolder()
const envId = 'armature/PushPuck-v0'

function open(clock: Clock, position?: LogPosition, path = folder.path): RunLogger {
  return openRunLogger(path, position === undefined ? { clock, envId } : { clock, envId, position })
}

function logSteps(logger: RunLogger, from: number, to: number, fps: number): void {
  for (let step = from; step <= to; step++) {
    logger.log(step, { 'train/critic_loss': 1 / (3 * step), 'time/fps': fps, 'rollout/ep_rew_mean': -step })
    logger.episode({ return: -step / 3, length: 50 })
  }
}

function read(name: string): string {
  return readFileSync(folder.file(name), 'utf8')
}

function eventFile(path = folder.path): string {
  const names = readdirSync(path).filter((name) => name.startsWith('events.out.tfevents.'))
  expect(names).toHaveLength(1)
  return names[0]!
}

describe('run logger', () => {
  it('writes each metric where it belongs', () => {
    const clock = fakeClock(1000)
    const logger = open(clock)
    logger.log(5, { 'train/critic_loss': 0.1, 'time/fps': 100 })
    logger.log(6, { 'time/fps': 101 })
    logger.log(7, { 'train/alpha': NaN })
    clock.advance(2.5)
    logger.episode({ return: -1 / 3, length: 50 })
    logger.image(8, 'eval/goal', { png: Uint8Array.of(1), width: 1, height: 1 })
    logger.close()
    expect(read('metrics.jsonl')).toBe('{"step":5,"train/critic_loss":0.1}\n{"step":7,"train/alpha":null}\n')
    expect(read('timings.jsonl')).toBe('{"step":5,"time/fps":100}\n{"step":6,"time/fps":101}\n')
    expect(read('monitor.csv')).toBe(`#{"t_start":1000,"env_id":"${envId}"}\nr,l,t\n-0.333333,50,2.5\n`)
    expect(eventFile()).toBe('events.out.tfevents.1000.armature')
    const events = readEventFile(readFileSync(folder.file(eventFile())))
    expect(events[1]!.scalars).toEqual({ 'train/critic_loss': Math.fround(0.1), 'time/fps': 100 })
    expect(Object.keys(events.at(-1)!.images)).toEqual(['eval/goal'])
  })

  it('shows lines at once, before any flush', () => {
    const logger = open(fakeClock())
    logger.log(1, { a: 1 })
    expect(read('metrics.jsonl')).toBe('{"step":1,"a":1}\n')
    logger.close()
  })

  it('ends a resumed run with the bytes of an uninterrupted one', () => {
    mkdirSync(folder.file('straight'))
    const straight = open(fakeClock(), undefined, folder.file('straight'))
    logSteps(straight, 1, 20, 100)
    straight.close()

    const clock = fakeClock(1000)
    const killed = open(clock)
    logSteps(killed, 1, 10, 80)
    const position = JSON.parse(JSON.stringify(killed.flush())) as LogPosition
    logSteps(killed, 11, 14, 80)
    writeFileSync(folder.file('metrics.jsonl'), `${read('metrics.jsonl')}{"step":15,"train/cri`)
    killed.close()

    clock.advance(3600)
    const resumed = open(clock, position)
    logSteps(resumed, 11, 20, 120)
    resumed.close()
    expect(read('metrics.jsonl')).toBe(read('straight/metrics.jsonl'))
    expect(read('timings.jsonl').split('\n')).toHaveLength(21)
    const steps = readEventFile(readFileSync(folder.file(eventFile()))).map(({ step }) => step)
    expect(steps).toEqual(Array.from({ length: 21 }, (_, i) => i))
    const monitor = read('monitor.csv').split('\n')
    expect(monitor[0]).toBe(`#{"t_start":1000,"env_id":"${envId}"}`)
    expect(monitor.slice(11, 13)).toEqual(['-3.333333,50,0', '-3.666667,50,3600'])
    expect(monitor).toHaveLength(2 + 20 + 1)
  })

  it('starts anew where a run died before its first checkpoint', () => {
    const killed = open(fakeClock(1000))
    logSteps(killed, 1, 3, 80)
    killed.close()
    const again = open(fakeClock(2000))
    logSteps(again, 1, 1, 80)
    again.close()
    expect(read('metrics.jsonl').split('\n')).toHaveLength(2)
    expect(read('monitor.csv')).toContain('"t_start":2000')
    expect(readEventFile(readFileSync(folder.file(eventFile())))).toHaveLength(2)
  })

  it('names the file that lost what a checkpoint knows of', () => {
    const logger = open(fakeClock())
    logSteps(logger, 1, 3, 80)
    const position = logger.flush()
    logger.close()
    truncateSync(folder.file('metrics.jsonl'), 10)
    const error = errorOf(() => open(fakeClock(), position))
    expect(error.code).toBe('corrupt-file')
    expect(error.message).toContain(folder.file('metrics.jsonl'))
    expect(error.message).toContain(`${position['metrics.jsonl']} bytes`)
  })

  it('refuses a monitor file whose header is damaged', () => {
    const logger = open(fakeClock())
    const position = logger.flush()
    logger.close()
    writeFileSync(folder.file('monitor.csv'), 'x'.repeat(position['monitor.csv']!))
    expect(errorOf(() => open(fakeClock(), position)).code).toBe('corrupt-file')
  })

  it('says so where it cannot write', () => {
    mkdirSync(folder.file('timings.jsonl'))
    expect(errorOf(() => open(fakeClock())).code).toBe('unwritable')
  })
})

describe('console table', () => {
  it('prints the latest values at its cadence and at the end, wrapped', () => {
    const clock = fakeClock()
    const printed: string[] = []
    const print = (text: string): void => void printed.push(text)
    const logger = openRunLogger(folder.path, { clock, envId, console: { print, everyS: 10, columns: 40 } })
    logger.log(1, { 'train/critic_loss': 0.015312, 'rollout/ep_rew_mean': -12.3456 })
    clock.advance(9)
    logger.log(2, { 'train/critic_loss': 0.5 })
    expect(printed).toEqual([])
    clock.advance(1)
    logger.log(3, { 'train/updates': 1e6, 'train/tiny': 1.234e-7, loss: 123456.7 })
    expect(printed).toEqual([
      [
        'step 3',
        '  train    critic_loss 0.5',
        '           updates 1000000  tiny 1.2e-7',
        '  rollout  ep_rew_mean -12.35',
        '           loss 123457',
        '',
      ].join('\n'),
    ])
    logger.log(4, { 'train/critic_loss': 2 })
    logger.close()
    expect(printed[1]).toContain('step 4\n  train    critic_loss 2\n')
    expect(printed).toHaveLength(2)
  })
})

function errorOf(action: () => unknown): ArmatureError {
  try {
    action()
  } catch (error) {
    if (error instanceof ArmatureError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

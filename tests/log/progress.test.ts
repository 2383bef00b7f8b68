import { describe, expect, it } from 'vitest'
import { formatDuration, formatNumber } from '../../src/log/format.ts'
import { Progress } from '../../src/log/progress.ts'
import type { ProgressStream } from '../../src/log/progress.ts'
import { fakeClock } from './helpers.ts'

interface Recorded extends ProgressStream {
  text: string
}

function stream(properties: { isTTY?: boolean; columns?: number } = {}): Recorded {
  return {
    ...properties,
    text: '',
    write(text: string) {
      this.text += text
    },
  }
}

/** What a terminal shows: a carriage return with "clear line" discards what stood on the line. */
function screen(text: string): string[] {
  return text.split('\n').map((line) => line.slice(line.lastIndexOf('\u001b[2K') + 1).replace('[2K', ''))
}

describe('progress on a terminal', () => {
  it('redraws one line with rate and time left, at most ten times a second', () => {
    const clock = fakeClock()
    const out = stream({ isTTY: true, columns: 200 })
    const phase = new Progress({ stream: out, clock }).phase('train', 5000, { unit: 'steps' })
    clock.advance(10)
    phase.update(1000, 'success 0.25')
    clock.advance(0.05)
    phase.update(1001)
    expect(screen(out.text)).toEqual(['train  1000/5000 steps  20%  100 steps/s  ETA 40 s  success 0.25'])
    expect(out.text.match(/\r/g)).toHaveLength(1)
    clock.advance(0.05)
    phase.update(1010)
    expect(screen(out.text)[0]).toContain('1010/5000')
  })

  it('leaves one line when it is done', () => {
    const clock = fakeClock()
    const out = stream({ isTTY: true })
    const phase = new Progress({ stream: out, clock }).phase('collect', 10)
    clock.advance(65)
    phase.update(10)
    phase.finish()
    expect(screen(out.text)).toEqual(['collect  10/10  in 1 min 05 s', ''])
  })

  it('shows an inner count under both labels, then the outer one again', () => {
    const clock = fakeClock()
    const out = stream({ isTTY: true })
    const outer = new Progress({ stream: out, clock }).phase('train', 100)
    clock.advance(1)
    outer.update(50)
    const inner = outer.phase('evaluate', 20)
    clock.advance(2)
    inner.update(4)
    expect(screen(out.text)).toEqual(['train › evaluate  4/20  20%  2/s  ETA 8 s'])
    inner.finish()
    expect(screen(out.text)).toEqual([''])
    outer.update(51)
    expect(screen(out.text)[0]).toContain('train  51/100')
  })

  it('prints other text above the line, and never breaks over the edge', () => {
    const clock = fakeClock()
    const out = stream({ isTTY: true, columns: 20 })
    const progress = new Progress({ stream: out, clock })
    progress.print('before\n')
    const phase = progress.phase('a very long label of a phase', 100)
    phase.update(1)
    progress.print('one\ntwo\n')
    expect(screen(out.text)).toEqual(['before', 'one', 'two', 'a very long label o'])
  })
})

describe('progress in a log file', () => {
  it('writes plain lines about every ten seconds', () => {
    const clock = fakeClock()
    const out = stream()
    const phase = new Progress({ stream: out, clock }).phase('train', 1000, { unit: 'steps' })
    for (let step = 1; step <= 250; step++) {
      clock.advance(0.1)
      phase.update(step)
    }
    phase.finish()
    expect(out.text).toBe(
      'train  100/1000 steps  10%  10 steps/s  ETA 1 min 30 s\n' +
        'train  200/1000 steps  20%  10 steps/s  ETA 1 min 20 s\n' +
        'train  250/1000 steps  in 25 s\n',
    )
  })

  it('is silent when asked', () => {
    const clock = fakeClock()
    const out = stream({ isTTY: true })
    const progress = new Progress({ stream: out, clock, isSilent: true })
    const phase = progress.phase('train', 10)
    clock.advance(100)
    phase.update(5)
    progress.print('text\n')
    phase.finish()
    expect(out.text).toBe('')
  })
})

describe('the rate', () => {
  it('does not count what was done before, and follows a change of speed', () => {
    const clock = fakeClock()
    const out = stream({ isTTY: true, columns: 200 })
    const phase = new Progress({ stream: out, clock }).phase('train', 100_000, { done: 50_000 })
    for (let second = 1; second <= 60; second++) {
      clock.advance(1)
      phase.update(50_000 + second * 100)
    }
    expect(screen(out.text)[0]).toContain('  100/s  ')
    for (let second = 1; second <= 61; second++) {
      clock.advance(1)
      phase.update(56_000 + second * 10)
    }
    expect(screen(out.text)[0]).toContain('  10/s  ')
  })

  it('survives a pause that is longer than its window', () => {
    const clock = fakeClock()
    const out = stream({ isTTY: true, columns: 200 })
    const phase = new Progress({ stream: out, clock }).phase('train', 1000)
    clock.advance(200)
    phase.update(100)
    expect(screen(out.text)).toEqual(['train  100/1000  10%  0.5/s  ETA 30 min 00 s'])
  })
})

describe('numbers for people', () => {
  it('formats durations', () => {
    expect([0, 59.4, 59.6, 3599, 3600, 7384].map(formatDuration)).toEqual([
      '0 s',
      '59 s',
      '1 min 00 s',
      '59 min 59 s',
      '1 h 00 min',
      '2 h 03 min',
    ])
  })

  it('formats numbers', () => {
    expect([0, -3, 1234567, 12345.67, 103.2468, -0.0153123, 1.2e-7, 3.3e12, NaN, Infinity].map(formatNumber)).toEqual([
      '0',
      '-3',
      '1234567',
      '12346',
      '103.2',
      '-0.01531',
      '1.2e-7',
      '3.3e+12',
      'NaN',
      'Infinity',
    ])
  })
})

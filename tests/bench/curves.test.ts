import { parseHTML } from 'linkedom'
import { describe, expect, it } from 'vitest'
import type { CurveRun } from '../../bench/curves.ts'
import { curvesSvg } from '../../bench/curves.ts'

const run = (scene: string, method: string, curve: CurveRun['curve']): CurveRun => ({ scene, method, curve })

function linesOf(svg: string): number {
  const { document } = parseHTML(svg)
  return document.querySelectorAll('g[aria-label="line"] path').length
}

describe('curves of learning experiments', () => {
  const runs = [
    run('Pole', 'a < b', [
      [100, 1, 0.5],
      [200, 3, 1],
    ]),
    run('Pole', 'a < b', [
      [100, 2, 0.7],
      [200, 5, 1.5],
      [300, 9, 2],
    ]),
    run('Pole', 'plain', [
      [100, 1],
      [200, 1],
    ]),
    run('Arm', 'a < b', [[100, 1, 0.5]]),
  ]

  it('is one file with a line per method and scene, a panel per scene and the names', () => {
    const svg = curvesSvg(runs, 'mean_reward', 'steps')!
    expect(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"')).toBe(true)
    expect(linesOf(svg)).toBe(3)
    expect(svg).toContain('a &lt; b</text>')
    expect(svg).toContain('plain</text>')
    expect(svg).toContain('env steps')
    for (const scene of ['Pole', 'Arm']) expect(svg).toContain(`>${scene}</text>`)
  })

  it('a run that does not know its minutes has no line over them', () => {
    expect(linesOf(curvesSvg(runs, 'mean_reward', 'minutes')!)).toBe(2)
    expect(curvesSvg([runs[2]!], 'mean_reward', 'minutes')).toBeUndefined()
  })
})

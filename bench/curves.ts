import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'

/** One run of a learning experiment, as far as its curve goes. */
export interface CurveRun {
  /** Panel, and line in it. */
  readonly scene: string
  readonly method: string
  readonly curve: readonly (readonly [step: number, score: number, cpuMinutes?: number])[]
}

interface Point {
  readonly scene: string
  readonly method: string
  readonly x: number
  readonly mean: number
  readonly low: number
  readonly high: number
}

const { document } = parseHTML('<!doctype html><html><body></body></html>')
/** Okabe and Ito's colours, which are told apart by everyone. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000', '#999999']
const PANEL_PX = { width: 370, height: 260, legend: 16 }

/**
 * Mean score of each method with the range of its runs, one panel per scene with a scale of its own, as an SVG file.
 * @param along env steps, or minutes of processor time that acting and learning took (evaluations left out), averaged over runs
 * @returns undefined where no run knows its minutes
 */
export function curvesSvg(runs: readonly CurveRun[], score: string, along: 'steps' | 'minutes'): string | undefined {
  const points = pointsOf(runs, along)
  if (points.length === 0) return undefined
  const scenes = [...new Set(points.map(({ scene }) => scene))]
  const methods = [...new Set(points.map(({ method }) => method))]
  const panels = scenes.map((scene, i) => {
    const own = points.filter((point) => point.scene === scene)
    return panelSvg(own, { title: scene, score, along, methods }).replace('<svg', `<svg x="${i * PANEL_PX.width}"`)
  })
  return withLegend(panels, methods)
}

interface PanelLabels {
  readonly title: string
  readonly score: string
  readonly along: 'steps' | 'minutes'
  /** All of the figure: each has its colour in every panel. */
  readonly methods: readonly string[]
}

function panelSvg(points: readonly Point[], { title, score, along, methods }: PanelLabels): string {
  const channels = { x: 'x', fx: 'scene', z: 'method' } as const
  // linkedom's document is the DOM that Plot needs, under another type.
  const figure = Plot.plot({
    document: document as never,
    width: PANEL_PX.width,
    height: PANEL_PX.height,
    marginLeft: 55,
    style: { background: 'white', color: '#222', fontFamily: 'sans-serif' },
    fx: { label: null, domain: [title] },
    x: { label: along === 'steps' ? 'env steps' : 'minutes of one core', nice: true },
    y: { label: score, grid: true, nice: true },
    color: { domain: methods, range: methods.map((_, i) => COLOURS[i % COLOURS.length]!) },
    marks: [
      Plot.frame({ stroke: '#bbb' }),
      Plot.areaY(points, { ...channels, y1: 'low', y2: 'high', fill: 'method', fillOpacity: 0.12 }),
      Plot.lineY(points, { ...channels, y: 'mean', stroke: 'method', strokeWidth: 1.8 }),
    ],
  }) as { outerHTML: string }
  return figure.outerHTML
    .replaceAll(/-?\d+\.\d{3,}/g, (value) => String(Math.round(Number(value) * 100) / 100))
    .replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"')
}

/** A file of its own shows no legend beside it: the names go into the picture, below. */
function withLegend(panels: readonly string[], methods: readonly string[]): string {
  const width = PANEL_PX.width * panels.length
  const height = PANEL_PX.height + PANEL_PX.legend * (methods.length + 1)
  const rows = methods.map((method, i) => {
    const y = PANEL_PX.height + PANEL_PX.legend * (i + 0.7)
    const name = method.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
    return `<rect x="60" y="${y - 6}" width="18" height="4" fill="${COLOURS[i % COLOURS.length]}"/><text x="84" y="${y}" font-size="12" font-family="sans-serif" fill="#222">${name}</text>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...panels,
    ...rows,
    '</svg>\n',
  ].join('\n')
}

/** Points that all runs of a method reached, so that no mean jumps where one run ends. */
function pointsOf(runs: readonly CurveRun[], along: 'steps' | 'minutes'): Point[] {
  const lines = [...new Map(runs.map((run) => [JSON.stringify([run.scene, run.method]), run])).values()]
  return lines.flatMap(({ scene, method }) => {
    const group = runs.filter((run) => run.scene === scene && run.method === method)
    const known = group.filter(
      ({ curve }) => along === 'steps' || curve.every(([, , minutes]) => minutes !== undefined),
    )
    const steps = known[0]?.curve.map(([step]) => step) ?? []
    const shared = steps.filter((step) => known.every(({ curve }) => curve.some(([at]) => at === step)))
    return shared.map((step): Point => {
      const rows = known.map(({ curve }) => curve.find(([at]) => at === step)!)
      const scores = rows.map(([, value]) => value)
      return {
        scene,
        method,
        x: along === 'steps' ? step : meanOf(rows.map(([, , minutes]) => minutes!)),
        mean: meanOf(scores),
        low: Math.min(...scores),
        high: Math.max(...scores),
      }
    })
  })
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

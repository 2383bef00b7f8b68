import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { escapeHtml } from './html.ts'
import type { Curve, EpisodeKind, HeatMap } from './model.ts'

const { document } = parseHTML('<!doctype html><html><body></body></html>')

/** The kinds of episodes in the order of every legend, with their colours of the page's palette. */
export const KINDS: readonly { readonly kind: EpisodeKind; readonly colour: string }[] = [
  { kind: 'successful', colour: 'var(--successful)' },
  { kind: 'failed', colour: 'var(--failed)' },
  { kind: 'reversed', colour: 'var(--reversed)' },
  { kind: 'adversarial', colour: 'var(--adversarial)' },
]

/** Colours from worst to best of the heat maps, readable on light and on dark. */
const HEAT = 'viridis'
const HEXAGON_PX = 9

/** `options` drawn as SVG text that takes its colours from the page. */
function draw(label: string, options: Plot.PlotOptions): string {
  // linkedom's document is the DOM that Plot needs, under another type.
  const figure = Plot.plot({ className: 'plot', ...options, document: document as never }) as { outerHTML: string }
  const svg = figure.outerHTML
    .replaceAll(/<style>[\s\S]*?<\/style>/g, '')
    .replaceAll(/-?\d+\.\d{3,}/g, (value) => String(Math.round(Number(value) * 100) / 100))
  return svg.replace('<svg', `<svg role="img" aria-label="${escapeHtml(label)}"`)
}

/** Lines of one encoder along episodes, one panel for each kind, all with the same axes; below each other where there is no room. */
export function curvePanels(
  label: string,
  curves: readonly Curve[],
  { domain, unit }: { readonly domain: readonly [number, number]; readonly unit: string },
): string {
  const longest = Math.max(0, ...curves.map(({ values }) => values.length - 1))
  const present = KINDS.filter(({ kind }) => curves.some((curve) => curve.kind === kind))
  const panels = present.map(({ kind, colour }) => {
    const points = curves
      .filter((curve) => curve.kind === kind)
      .flatMap(({ episode, values }) => values.map((y, x) => ({ x, y, episode })))
    const panel = draw(`${label}: ${kind}`, {
      width: 250,
      height: 170,
      marginLeft: 48,
      marginRight: 12,
      x: { domain: [0, longest], label: 'observation', ticks: 4 },
      y: { domain: [...domain], label: unit, grid: true, ticks: 5 },
      marks: [
        Plot.frame({ stroke: 'var(--line)' }),
        Plot.lineY(points, { x: 'x', y: 'y', z: 'episode', stroke: colour, strokeWidth: 1.4, strokeOpacity: 0.85 }),
      ],
    })
    return `<figure><figcaption>${kind}</figcaption>${panel}</figure>`
  })
  return `<div class="panels">${panels.join('')}</div>`
}

/** Hexagons of pairs: distance in truth to the right, distance in the embedding upwards; darker is more pairs. */
export function distanceHexbin(
  label: string,
  pairs: readonly { readonly embedded: number; readonly true: number }[],
  trueUnit: string,
): string {
  return draw(label, {
    width: 300,
    height: 250,
    marginLeft: 48,
    x: { label: `true distance (${trueUnit})`, nice: true, zero: true },
    y: { label: 'embedding distance (random pair = 1)', nice: true, zero: true },
    opacity: { type: 'sqrt', range: [0.12, 1] },
    marks: [
      Plot.frame({ stroke: 'var(--line)' }),
      Plot.hexagon(
        pairs,
        Plot.hexbin(
          { fillOpacity: 'count' },
          { x: 'true', y: 'embedded', binWidth: HEXAGON_PX, fill: 'var(--accent)' },
        ),
      ),
      Plot.lineY(
        pairs,
        // The transform's type leaves out the channel that it reduces.
        Plot.binX({ y: 'median' }, {
          x: 'true',
          y: 'embedded',
          thresholds: 12,
          stroke: 'var(--text)',
          strokeWidth: 2,
        } as Plot.LineYOptions),
      ),
    ],
  })
}

/** Mean reward over the plane of one subject; the cross is the goal. */
export function heatMap(label: string, map: HeatMap): string {
  const half = map.cellM / 2
  const xs = map.cells.flatMap(({ x }) => [x - half, x + half])
  const ys = map.cells.flatMap(({ y }) => [y - half, y + half])
  return draw(label, {
    width: 240,
    height: 250,
    marginLeft: 44,
    aspectRatio: 1,
    x: { label: `${map.subject} x (m)`, ticks: 4, domain: [Math.min(...xs), Math.max(...xs)] },
    y: { label: `${map.subject} y (m)`, ticks: 4, domain: [Math.min(...ys), Math.max(...ys)] },
    color: { scheme: HEAT },
    marks: [
      Plot.rect(map.cells, {
        x1: ({ x }: { x: number }) => x - half,
        x2: ({ x }: { x: number }) => x + half,
        y1: ({ y }: { y: number }) => y - half,
        y2: ({ y }: { y: number }) => y + half,
        fill: 'value',
        inset: 0.3,
      }),
      Plot.frame({ stroke: 'var(--line)' }),
      ...(map.goal === undefined
        ? []
        : [
            Plot.dot([map.goal], { x: 'x', y: 'y', r: 7, stroke: 'white', strokeWidth: 3, symbol: 'times' }),
            Plot.dot([map.goal], { x: 'x', y: 'y', r: 7, stroke: '#d03030', strokeWidth: 2, symbol: 'times' }),
          ]),
    ],
  })
}

/** A number of each of several encoders for each of several variables, as bars side by side. */
export function groupedBars(
  label: string,
  bars: readonly { readonly encoder: string; readonly variable: string; readonly value: number }[],
  axis: string,
): string {
  const encoders = [...new Set(bars.map(({ encoder }) => encoder))]
  const variables = [...new Set(bars.map(({ variable }) => variable))]
  // Far below 0 is only "useless"; drawn to scale it would flatten everything else.
  const clipped = bars.map((bar) => ({ ...bar, shown: Math.max(-0.2, bar.value) }))
  return draw(label, {
    width: 150 + 150 * variables.length,
    height: 40 + 18 * encoders.length + 30,
    marginLeft: 110,
    marginRight: 20,
    x: { label: axis, domain: [-0.2, 1], ticks: [0, 0.5, 1], grid: true },
    y: { label: null, domain: encoders },
    fx: { label: null, domain: variables },
    marks: [
      Plot.ruleX([0], { stroke: 'var(--text)' }),
      Plot.barX(clipped, { x: 'shown', y: 'encoder', fx: 'variable', fill: 'var(--accent)', inset: 2 }),
    ],
  })
}

/** One value a dimension as bars, largest first. */
export function dimensionBars(label: string, values: readonly number[], axis: string): string {
  const bars = values.map((value, i) => ({ dimension: i + 1, value }))
  return draw(label, {
    width: 300,
    height: 140,
    marginLeft: 48,
    x: { label: 'dimension, sorted', type: 'band', tickFormat: bars.length > 16 ? () => '' : String, tickSize: 0 },
    y: { label: axis, grid: true, ticks: 4 },
    marks: [Plot.barY(bars, { x: 'dimension', y: 'value', fill: 'var(--accent)' }), Plot.ruleY([0])],
  })
}

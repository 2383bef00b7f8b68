import type { FrameGallery } from './frames.ts'
import { escapeHtml, number, section, wide } from './html.ts'
import type { Curve, Figures, FrameRef, Neighbour, Retrieval } from './model.ts'
import { curvePanels, dimensionBars, distanceHexbin, groupedBars, heatMap, KINDS } from './plots.ts'

/** An encoder by name with what is drawn of it. */
export interface DrawnEncoder {
  readonly name: string
  readonly figures: Figures
}

/** What all figure sections need. */
export interface Drawing {
  readonly encoders: readonly DrawnEncoder[]
  /** The same of the true distance. */
  readonly truth: Pick<Figures, 'curves' | 'heatMaps'>
  readonly gallery: FrameGallery
  /** Unit of true distances, e.g. `m`. */
  readonly trueUnit: string
  /** Mean true distance of two random frames. */
  readonly randomTrue: number
}

/** Frames of a strip under the curves. */
const STRIP_FRAMES = 8

/** Times of the frames under a curve: evenly from the first to the last, in the order shown. */
function stripTimes({ kind, values }: Curve): number[] {
  const count = Math.min(STRIP_FRAMES, values.length)
  const times = Array.from({ length: count }, (_, i) =>
    count === 1 ? 0 : Math.round((i * (values.length - 1)) / (count - 1)),
  )
  return kind === 'reversed' ? times.map((time) => values.length - 1 - time) : times
}

/** The first curve of each kind: the one whose frames are shown. */
function stripCurves(curves: readonly Curve[]): Curve[] {
  return KINDS.flatMap(({ kind }) => curves.filter((curve) => curve.kind === kind).slice(0, 1))
}

/** All frames that the sections show. */
export function wantedFrames(encoders: readonly DrawnEncoder[]): FrameRef[] {
  const strips = stripCurves(encoders[0]?.figures.curves ?? [])
  return [
    ...strips.flatMap((curve) => stripTimes(curve).map((time) => ({ episode: curve.episode, time }))),
    ...encoders.flatMap(({ figures }) => [
      ...[...figures.retrievals, ...figures.confusions].flatMap(({ query, nearest }) => [query, ...nearest]),
      ...figures.hacks,
    ]),
  ]
}

/** Rewards along episodes, with the true distance and the frames under them. */
export function curveSection({ encoders, truth, gallery, trueUnit }: Drawing): string {
  if (encoders.every(({ figures }) => figures.curves.length === 0)) return ''
  const domain = rangeOf(encoders.flatMap(({ figures }) => figures.curves))
  const panels = encoders.map(
    ({ name, figures }) =>
      `<h3>${escapeHtml(name)}</h3>${curvePanels(`reward of ${name} along episodes`, figures.curves, { domain, unit: 'reward' })}`,
  )
  const distance =
    truth.curves.length === 0
      ? ''
      : `<h3>the truth: minus the true distance (${escapeHtml(trueUnit)})</h3>${curvePanels(
          'minus the true distance along episodes',
          truth.curves,
          {
            domain: rangeOf(truth.curves),
            unit: `reward (${trueUnit})`,
          },
        )}`
  const curves = stripCurves(encoders[0]?.figures.curves ?? [])
  const strips = curves.map((curve) => {
    const colour = KINDS.find(({ kind }) => kind === curve.kind)!.colour
    const goal = gallery.goalUri(curve.episode)
    const frames = stripTimes(curve).map((time, i) => {
      const shown = curve.kind === 'reversed' ? curve.values.length - 1 - time : time
      return picture(gallery.uri({ episode: curve.episode, time }), `${i === 0 ? 'obs. ' : ''}${shown}`)
    })
    const name = `<span class="name"><span class="swatch" style="background:${colour};margin-left:0"></span>${curve.kind}<br><span class="small">episode ${curve.episode}</span></span>`
    return wide(
      `<div class="strip">${name}${frames.join('')}${goal === undefined ? '' : picture(goal, 'its goal', 'mark')}</div>`,
    )
  })
  return section(
    'curves',
    'Reward along episodes',
    'Each line is one held-out episode; the reward is minus the distance between the embeddings of the frame and of the episode’s goal, and −1 is the median distance of two random frames, so that all panels share their axes. A useful reward rises along <b>successful</b> episodes, falls when they are played <b>reversed</b>, and ends lower in <b>failed</b> and <b>adversarial</b> ones (made to look like success) than in successful ones. The truth is the last row: a failed episode may well come closer for a while.',
    `${panels.join('\n')}\n${distance}\n<h3>The first episode of each panel in frames</h3>\n${strips.join('\n')}`,
  )
}

function rangeOf(curves: readonly Curve[]): readonly [number, number] {
  let low = 0
  let high = 0
  for (const { values } of curves)
    for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)]
  return [low, high]
}

/** Distance of embeddings against distance in truth, one plot an encoder. */
export function distanceSection({ encoders, trueUnit }: Drawing): string {
  if (encoders.every(({ figures }) => figures.pairs.length === 0)) return ''
  const plots = encoders.map(({ name, figures }) =>
    figures.pairs.length === 0
      ? ''
      : `<figure>${distanceHexbin(`${name}: embedding distance against true distance`, figures.pairs, trueUnit)}<figcaption>${escapeHtml(name)}</figcaption></figure>`,
  )
  return section(
    'distance',
    'Distance in the embedding against true distance',
    'Random held-out frames, each against the goal of its episode; the darker a hexagon, the more frames. The line joins the medians. A good reward is a narrow band that rises: flat stretches are distances that the reward cannot see; points low at the right are frames far from the goal that it takes for near.',
    `<div class="grid">${plots.join('\n')}</div>`,
  )
}

/** Mean reward over the plane for one goal, the true one beside it. */
export function mapSection({ encoders, truth, trueUnit }: Drawing): string {
  const subjects = (encoders[0]?.figures.heatMaps ?? []).map(({ subject }) => subject)
  const rows = subjects.map((subject) => {
    const maps = [
      { name: `true distance (${trueUnit})`, map: truth.heatMaps.find((map) => map.subject === subject) },
      ...encoders.map(({ name, figures }) => ({ name, map: figures.heatMaps.find((map) => map.subject === subject) })),
    ]
    const figures = maps.flatMap(({ name, map }) =>
      map === undefined
        ? []
        : [
            `<figure>${heatMap(`reward of ${name} over the place of ${subject}`, map)}<figcaption>${escapeHtml(name)}</figcaption></figure>`,
          ],
    )
    return `<h3>Place of: ${escapeHtml(subject)}</h3><div class="grid maps">${figures.join('\n')}</div>`
  })
  if (rows.length === 0) return ''
  return section(
    'map',
    'What the reward pulls towards',
    'For one goal (the cross): mean reward of all held-out frames by where the object or the robot was. Yellow is paid most, dark blue least, each map on its own scale; empty cells were never visited. The first map is the truth; a second bright spot elsewhere is a place that a policy would be drawn to by mistake.',
    rows.join('\n'),
  )
}

/** Nearest neighbours and the worst confusions. */
export function neighbourSection({ encoders, gallery, trueUnit, randomTrue }: Drawing): string {
  if (encoders.every(({ figures }) => figures.retrievals.length + figures.confusions.length === 0)) return ''
  const query = ({ query: frame }: Retrieval): string =>
    picture(gallery.uri(frame), `query<br>ep. ${frame.episode}`, 'mark')
  const near = (neighbour: Neighbour, wrong: boolean): string =>
    picture(gallery.uri(neighbour), `${distanceText(neighbour.true, trueUnit)} off`, wrong ? 'wrong' : '')
  const blocks = encoders.map(({ name, figures }) => {
    const lists = figures.retrievals.map(
      (retrieval) =>
        `<div class="strip">${query(retrieval)}${retrieval.nearest.map((each) => near(each, false)).join('')}</div>`,
    )
    const worst = figures.confusions.map(
      (retrieval) => query(retrieval) + retrieval.nearest.map((each) => near(each, true)).join(''),
    )
    return `<figure><h3 style="margin-top:0">${escapeHtml(name)}</h3>${wide(lists.join(''))}<p class="small" style="margin:.4rem 0 .1rem">worst confusions: query, and what it takes for the same</p>${wide(`<div class="strip">${worst.join('')}</div>`)}</figure>`
  })
  return section(
    'neighbours',
    'Nearest neighbours',
    `Which frames of <em>other</em> episodes (one each) an encoder takes for the same as a query (blue), nearest first, with how far they are from it in truth; two random frames are ${distanceText(randomTrue, trueUnit)} apart on average. The worst confusions (red) are the queries, of 150, whose nearest neighbour is the farthest off.`,
    `<div class="grid" style="grid-template-columns:repeat(auto-fill,minmax(min(500px,100%),1fr))">${blocks.join('\n')}</div>`,
  )
}

/** Probes by state variable, and how the embedding spreads over its dimensions. */
export function dimensionSection({ encoders }: Drawing): string {
  const bars = encoders.flatMap(({ name, figures }) =>
    figures.probes.map(({ variable, r2 }) => ({ encoder: name, variable, value: r2 })),
  )
  const probes =
    bars.length === 0
      ? ''
      : `<h3>What a linear map reads out of it: R² by state variable, on episodes it was not fitted on</h3>${wide(groupedBars('linear probe R2 by state variable', bars, 'R²'))}<p class="small">1: read exactly. 0: no better than always saying the mean. Values below −0.2 are drawn at −0.2.</p>`
  const spreads = encoders.map(
    ({ name, figures }) =>
      `<figure>${dimensionBars(`${name}: standard deviation by dimension`, figures.std, 'std')}${dimensionBars(`${name}: share of the variance by principal axis`, figures.spectrum, 'share')}<figcaption>${escapeHtml(name)}: standard deviation of each dimension, and below it the share of the variance along each principal axis (the first 64 of each)</figcaption></figure>`,
  )
  return section(
    'dimensions',
    'What is in the dimensions',
    'Dimensions without spread carry nothing; an embedding whose variance lies along one or two axes has collapsed, whatever its size.',
    `${probes}<h3>Spread</h3><div class="grid">${spreads.join('\n')}</div>`,
  )
}

/** Frames that are paid best without being a success. */
export function hackSection({ encoders, gallery, trueUnit }: Drawing, successRadius: number | undefined): string {
  const rows = encoders
    .filter(({ figures }) => figures.hacks.length > 0)
    .map(({ name, figures }) => {
      const frames = figures.hacks.flatMap((hack) => {
        const goal = gallery.goalUri(hack.episode)
        return [
          `<div style="display:flex;gap:2px">${picture(gallery.uri(hack), `${number(hack.reward)}; ${distanceText(hack.true, trueUnit)}`, 'wrong')}${goal === undefined ? '' : picture(goal, 'goal', 'mark')}</div>`,
        ]
      })
      return `<h3>${escapeHtml(name)}</h3>${wide(`<div class="strip" style="gap:14px">${frames.join('')}</div>`)}`
    })
  if (rows.length === 0) return ''
  const rule =
    successRadius === undefined
      ? 'belong to episodes that did not succeed'
      : `are farther from the goal than any successful episode ended (${distanceText(successRadius, trueUnit)})`
  return section(
    'hacks',
    'What it would pay without success',
    `Held-out frames (red) that ${rule}, one an episode, those with the highest reward first; beside each the goal of its episode (blue). Below: reward (0 is the most there is, −1 a random frame) and true distance to the goal. Near the top with a reward near 0 and a large distance: what a policy would learn to exploit.`,
    rows.join('\n'),
  )
}

function distanceText(value: number, unit: string): string {
  if (!Number.isFinite(value)) return 'unknown'
  return unit === 'm' ? `${(value * 100).toFixed(1)} cm` : `${number(value)} ${escapeHtml(unit)}`
}

/** @param caption HTML */
function picture(uri: string, caption: string, mark = ''): string {
  return `<figure class="${mark}"><img alt="" src="${uri}"><figcaption>${caption}</figcaption></figure>`
}

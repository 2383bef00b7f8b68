import type { EnvEntry } from '../../envs/index.ts'
import { envs } from '../../envs/index.ts'
import type { Panel, RgbImage } from '../io/image.ts'
import { collage, sideBySide, textImage, withCaption } from '../io/image.ts'
import { encodePng } from '../io/png.ts'
import type { CliContext } from './context.ts'
import { pictureFormat, requireNewFile, writeOutput } from './output-files.ts'
import type { ScenePolicy } from '../compose/scene-player.ts'
import { defaultPolicy, scenePlayer } from '../compose/scene-player.ts'
import type { Size } from './render-scene.ts'
import { allCameras, playScene, views, viewSize } from './render-scene.ts'

const GAP = 4
const HEADING_SCALE = 2
/** Between a heading and its views. */
const HEADING_GAP = 5
/** Around the page, and between scenes. */
const MARGIN = 16
/** A page is about as wide as this many square views: the width of a text column at the default size. */
const PAGE_VIEWS = 7

export interface ContactSheetOptions {
  readonly out: string
  readonly seed: number
  /** Of play before the picture; at most a third of an episode. */
  readonly steps: number
  /** Pixels of a view from top to bottom. */
  readonly height: number
  readonly overwrite?: boolean
}

/** What a contact sheet shows, in its order. */
export interface ContactSheetReport extends Size {
  readonly file: string
  readonly seed: number
  readonly scenes: readonly {
    readonly env: string
    readonly cameras: readonly string[]
    readonly policy: ScenePolicy
    readonly steps: number
  }[]
}

/**
 * One picture of all registered scenes from all their cameras, after some steps of scripted play, or of random play where there
 * is no script. The same every time.
 * @throws ArmatureError `bad-argument` for a file that is no .png or is there, `unwritable`, `interrupted`. Nothing is written then.
 */
export async function contactSheet(context: CliContext, options: ContactSheetOptions): Promise<ContactSheetReport> {
  const { out, seed, height } = options
  pictureFormat(out, '--out', ['.png'])
  await requireNewFile(out, options.overwrite)
  const scenes: ContactSheetReport['scenes'][number][] = []
  const blocks: RgbImage[] = []
  for (const [id, entry] of Object.entries(envs)) {
    const { panels, ...scene } = await photograph(context, entry, options)
    scenes.push({ env: id, ...scene })
    if (panels.length > 0) blocks.push(sceneBlock(id, panels))
  }
  const page = flowPage(blocks, PAGE_VIEWS * (height + GAP))
  await writeOutput(out, encodePng(page))
  context.print(`${out}  ${page.width}x${page.height}, ${scenes.length} scenes`)
  return { file: out, width: page.width, height: page.height, seed, scenes }
}

async function photograph(
  context: CliContext,
  entry: EnvEntry,
  { seed, steps, height }: ContactSheetOptions,
): Promise<Omit<ContactSheetReport['scenes'][number], 'env'> & { readonly panels: readonly Panel[] }> {
  const env = await entry.make()
  const cameras = allCameras(env)
  const policy = defaultPolicy(entry.expert)
  const player = scenePlayer(policy, env, entry.expert, seed)
  // Not to the end of a short episode: things are where the task wants them then, or gone.
  const middle = Math.ceil(env.spec.maxEpisodeSteps / 3)
  const played = await playScene(context, env, { player, seed, steps: Math.min(steps, middle) })
  const panels = await views(env, cameras, (camera) => viewSize(camera, height))
  await env.close()
  return { cameras, policy, steps: played.steps, panels }
}

/** The id of a scene above its views, each under the name of its camera. */
function sceneBlock(id: string, panels: readonly Panel[]): RgbImage {
  const heading = textImage(id, HEADING_SCALE)
  const row = sideBySide(
    panels.map(({ label, image }) => withCaption(image, label)),
    GAP,
  )
  const top = heading.height + HEADING_GAP
  return collage(Math.max(heading.width, row.width), top + row.height, [
    { image: heading, left: 0, top: 0 },
    { image: row, left: 0, top },
  ])
}

/** Blocks in reading order, as many in a line as fit into `width`; wider ones have a line of their own. */
function flowPage(blocks: readonly RgbImage[], width: number): RgbImage {
  const placed: { readonly image: RgbImage; readonly left: number; readonly top: number }[] = []
  let [left, top, lineHeight, right] = [MARGIN, MARGIN, 0, 0]
  for (const image of blocks) {
    if (left > MARGIN && left + image.width > MARGIN + width) {
      left = MARGIN
      top += lineHeight + MARGIN
      lineHeight = 0
    }
    placed.push({ image, left, top })
    right = Math.max(right, left + image.width)
    lineHeight = Math.max(lineHeight, image.height)
    left += image.width + MARGIN
  }
  return collage(right + MARGIN, top + lineHeight + MARGIN, placed)
}

import { Option } from 'commander'
import { BEHAVIOURS } from '../config/behaviours.ts'
import type { CheckFlags } from './check.ts'
import type { CollectOptions } from './collect.ts'
import type { CommandLine } from './command-line.ts'
import { withRobotFlags } from './commands-bridge.ts'
import type { ContactSheetOptions } from './contact-sheet.ts'
import type { McapFlags } from './mcap.ts'
import {
  checkSteps,
  commaCounts,
  commaNames,
  episodes,
  imageSize,
  policyShares,
  settings,
  seed,
  stepsOrNone,
  viewHeight,
  withCopiesFlags,
} from './options.ts'
import type { RobotFlags } from './remote.ts'
import type { RenderOptions } from './render.ts'

/** `collect`, `mcap`, `render`, `contact-sheet` and `check`. */
export function addSceneCommands(line: CommandLine): void {
  addCollect(line)
  line
    .command('mcap <dataset>', 'episodes as a file for Foxglove and Rerun', {
      'mcap data/push --out push.mcap': 'all episodes',
      'mcap data/push --out two.mcap --episodes 0,3 --cameras front': 'some of them',
    })
    .requiredOption('--out <file.mcap>', 'file to write')
    .option('--episodes <numbers>', 'episodes, separated by commas (default: all)', commaCounts)
    .option('--cameras <names>', 'cameras, separated by commas (default: all)', commaNames)
    .option('--overwrite', 'replace a file that is there')
    .action(async (dataset: string, options: McapFlags) => {
      const at = line.context()
      const { mcap } = await import('./mcap.ts')
      line.finish(at, await mcap(at, dataset, options))
    })
  addRender(line)
  line
    .command('contact-sheet', 'one picture of all scenes from all their cameras', {
      'contact-sheet --out scenes.png': 'after 20 steps of play',
    })
    .requiredOption('--out <file.png>', 'file to write')
    .option('--seed <n>', 'of resets and random play', seed, 0)
    .option('--steps <n>', 'steps of scripted (else random) play before the picture', stepsOrNone, 20)
    .option('--height <n>', 'pixels of a view from top to bottom', viewHeight, 144)
    .option('--overwrite', 'replace a file that is there')
    .action(async (options: ContactSheetOptions) => {
      const at = line.context()
      const { contactSheet } = await import('./contact-sheet.ts')
      line.finish(at, await contactSheet(at, options))
    })
  line
    .command(
      'check <env>',
      'test a scene, or "all", against the contract that learning relies on; exit code 1 if one fails',
      {
        'check armature/PushPuck-v0': 'one scene',
        'check all --steps 20': 'every scene, with fewer steps',
      },
    )
    .option('--seed <n>', 'of resets and random play', seed, 1)
    .option('--steps <n>', 'random steps of each case', checkSteps, 60)
    .addOption(settings('an option of the env, e.g. start=random'))
    .action(async (env: string, options: CheckFlags) => {
      const at = line.context()
      const { check } = await import('./check.ts')
      const report = await check(at, env, options)
      line.finish(at, report, report.ok)
    })
}

function addRender(line: CommandLine): void {
  line
    .command('render <env>', 'a picture (.png), an animation (.gif) or a video (.mp4) of a scene', {
      'render armature/PushPuck-v0 --out push.png': 'after the reset',
      'render armature/PushPuck-v0 --out push.mp4 --cameras all --seed 3': 'an episode, from all cameras',
    })
    .requiredOption('--out <file>', 'file to write; its ending chooses the format')
    .option('--cameras <names>', 'cameras, separated by commas, or "all" (default: human, else the first)', commaNames)
    .addOption(
      new Option(
        '--policy <name>',
        'what moves the scene (default: scripted where it has an expert, else random)',
      ).choices(['random', 'still', 'scripted']),
    )
    .option('--seed <n>', 'of the reset and of random play', seed, 0)
    .option('--steps <n>', 'steps before the picture (default: 0); else at most (default: an episode)', stepsOrNone)
    .option('--size <WxH>', 'pixels of each camera (default: 240x240, human 320x240)', imageSize)
    .addOption(settings('an option of the env, e.g. start=random'))
    .option('--overwrite', 'replace a file that is there')
    .action(async (env: string, options: RenderOptions) => {
      const at = line.context()
      const { render } = await import('./render.ts')
      line.finish(at, await render(at, env, options))
    })
}

function addCollect(line: CommandLine): void {
  const command = line.command(
    'collect <env>',
    'record episodes of a scene, or of a robot such as tcp://127.0.0.1:5600, into a new dataset, a LeRobot v3.0 folder; ' +
      'a dataset of "armature list datasets" stands for a scene with options, cameras, policies and episodes',
    {
      'collect armature/PushPuck-v0 --out data/push': '100 episodes of its expert',
      'collect grasp-bin --out data/grasp-bin': 'all that a dataset of "armature list datasets" says',
      'collect grasp-bin --out data/few --episodes 20 --set size=64': 'the same but for what is named',
      'collect armature/PushPuck-v0 --out data/mixed --policy scripted:0.7,random:0.3 --episodes 50': 'a mixture',
      'collect armature/PushPuck-v0 --out data/learned --policy runs/rig-push-seed0': 'what a run has learned',
      'collect armature/PushPuck-v0 --out data/many --episodes 1000 --envs 8 --workers 2': 'the same on two more cores',
    },
  )
  withCopiesFlags(withRobotFlags(command))
    .requiredOption('--out <dir>', 'folder to make')
    .option('--episodes <n>', 'episodes (default: those of the dataset that is named, else 100)', episodes)
    .option(
      '--policy <names>',
      `what acts: ${BEHAVIOURS.join(', ')} or a run folder, or several with shares, e.g. scripted:0.7,random:0.3`,
      policyShares,
    )
    .option(
      '--cameras <names>',
      'cameras, separated by commas, or "all" (default: those that the env observes)',
      commaNames,
    )
    .option('--seed <n>', 'of resets, of random play and of the order of the policies (default: 0)', seed)
    .addOption(
      new Option('--format <name>', 'of images: png is exact, mp4 is small').choices(['png', 'mp4']).default('png'),
    )
    .option('--end-at-success', 'end an episode with its first success (default: with its last step)')
    .addOption(settings('an option of the env, e.g. size=64'))
    .option('--mcap', 'also write <dir>.mcap, for Foxglove and Rerun')
    .action(async (env: string, { mcap: alsoMcap, ...options }: CollectOptions & RobotFlags & { mcap?: boolean }) => {
      const runs = options.policy?.some(({ name }) => !(BEHAVIOURS as readonly string[]).includes(name)) ?? false
      const at = runs ? await line.withEngine() : line.context()
      const { collectDataset } = await import('./collect.ts')
      const { mcap, mcapBeside } = await import('./mcap.ts')
      const { requireNewFile } = await import('./output-files.ts')
      const file = mcapBeside(options.out)
      if (alsoMcap === true) await requireNewFile(file)
      const report = await line.withRobots(at, options, (robots) => collectDataset(at, env, { ...options, robots }))
      line.finish(at, alsoMcap === true ? { ...report, mcap: await mcap(at, options.out, { out: file }) } : report)
    })
}

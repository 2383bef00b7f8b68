import type { Command } from 'commander'
import type { CopiesFlags } from '../compose/copies.ts'
import type { CommandLine } from './command-line.ts'
import { withRobotFlags } from './commands-bridge.ts'
import type { PretrainOptions } from '../compose/encoder-training.ts'
import type { PlayOptions } from './play.ts'
import type { RobotFlags } from './remote.ts'
import type { RewardsOptions } from './rewards.ts'
import {
  envCount,
  episodeNumber,
  episodes,
  settings,
  rows,
  seconds,
  seed,
  share,
  steps,
  stepsOrNone,
  withCopiesFlags,
  workerCount,
} from './options.ts'

interface TrainFlags extends RobotFlags {
  readonly env?: string
  readonly seed?: number
  readonly steps?: number
  readonly set?: readonly string[]
  readonly out?: string
  readonly resume?: boolean
  readonly envs?: number
  readonly workers: number
  readonly demo?: string
  readonly episode?: number
}

/** `start`, `train`, `estimate`, `pretrain`, `eval`, `play`, `rewards` and `export`. */
export async function addLearningCommands(line: CommandLine): Promise<void> {
  line
    .command('start', 'learn to push a puck to imagined goals in a few minutes, and show it', {
      start: 'into the first free runs/start-<n>',
      'start --out runs/first': 'into this folder',
    })
    .option('--out <dir>', 'run folder (default: the first free runs/start-<n>)')
    .action(async (options: { out?: string }) => {
      const at = await line.withEngine()
      const { start } = await import('./start.ts')
      line.finish(at, await start(at, options))
    })
  await addTrain(line)
  await addEstimate(line)
  await addPretrain(line)
  addEval(line)
  addPlay(line)
  addRewards(line)
  line
    .command(
      'export <run>',
      'write the policy, or the encoder of pretrain, as a self-contained .onnx file with a .json beside it',
      {
        'export runs/rig-push-seed0': 'into runs/rig-push-seed0/export',
        'export runs/rig-push-seed0 --out robot/policy': 'into this folder',
        'export runs/beta-vae-seed0': 'an encoder of "armature pretrain" alone',
      },
    )
    .option('--out <dir>', 'folder to write to (default: <run>/export)')
    .option('--overwrite', 'replace files that are there')
    .action(async (run: string, options: { out?: string; overwrite?: boolean }) => {
      const at = await line.withEngine()
      const { exportRun } = await import('./export.ts')
      line.finish(at, await exportRun(at, run, options))
    })
}

async function addTrain(line: CommandLine): Promise<void> {
  const command = line.command('train [preset]', 'train a preset into a run folder; see "armature list"', {
    'train rig-push': 'into runs/rig-push-seed0',
    'train rig-push --steps 60000 --set agent.config.learningRate=3e-4 --out runs/longer': 'with changes',
    'train --resume --out runs/longer': 'go on with a run that was stopped',
    'train tcn-imitate --demo data/mine --episode 3': 'do what a recorded episode shows',
  })
  withRobotFlags(command)
    .option(
      '--env <id|address>',
      "a scene instead of the preset's, whose options stay behind, or a robot such as tcp://127.0.0.1:5600 for it",
    )
    .option('--seed <n>', 'master seed (default: 0)', seed)
    .option('--steps <n>', "env steps (default: the preset's)", steps)
    .option('--envs <n>', 'envs that are stepped at the same time (default: 1)', envCount)
    .option(
      '--workers <n>',
      'threads that share the envs, which changes no byte; 0: none but the main one',
      workerCount,
      0,
    )
    .addOption(settings('change a setting'))
    .option('--demo <dataset>', 'dataset with the demonstration, for a preset that follows one')
    .option('--episode <n>', 'its number there (default: the first that succeeded)', episodeNumber)
    .option('--out <dir>', 'run folder (default: runs/<preset>-seed<n>)')
    .option('--resume', 'go on from the last checkpoint of the run folder')
    .action(async (preset: string | undefined, options: TrainFlags) => {
      const at = await line.withEngine()
      const { trainAndReport } = await import('./train.ts')
      line.finish(
        at,
        await line.withRobots(at, options, (robots) => trainAndReport(at, preset, { ...options, robots })),
      )
    })
  await addSettings(line, command, 'train')
}

async function addEstimate(line: CommandLine): Promise<void> {
  const command = line
    .command('estimate <preset>', 'what a run will take: memory, and time by a miniature of it', {
      'estimate pixels --env armature/CartPole-v0': 'before you train it',
      'estimate rig-push --steps 60000 --set agent.config.hidden=[512,512]': 'with changes',
    })
    .option('--env <id>', "a scene instead of the preset's, whose options stay behind")
    .option('--steps <n>', "env steps (default: the preset's)", steps)
    .addOption(settings('change a setting'))
    .action(async (preset: string, options: Pick<TrainFlags, 'env' | 'steps' | 'set'>) => {
      const at = await line.withEngine()
      const { estimate } = await import('./estimate.ts')
      line.finish(at, await estimate(at, preset, options))
    })
  await addSettings(line, command, 'train')
}

async function addPretrain(line: CommandLine): Promise<void> {
  const command = line
    .command('pretrain [encoder]', 'train an encoder on a recorded dataset, into a run folder; see "armature list"', {
      'pretrain beta-vae --data data/push': 'into runs/beta-vae-seed0',
      'pretrain tcn --preset debug --data data/push': 'a look at whether it runs, in seconds',
      'pretrain beta-vae --data data/push --updates 500 --set config.latentSize=4 --out runs/vae-4': 'with changes',
      'pretrain --resume --out runs/vae-4': 'go on with a run that was stopped',
    })
    .option('--data <dir>', 'dataset, see "armature collect"')
    .option('--out <dir>', 'run folder (default: runs/<encoder>-seed<n>)')
    .option('--preset <name>', 'settings to start from: paper, default or debug (default: default)')
    .option('--updates <n>', "gradient steps (default: the preset's)", stepsOrNone)
    .option('--batch <n>', "rows of a batch (default: the preset's)", rows)
    .option('--camera <name>', 'camera whose frames are learned from (default: front)')
    .option('--seed <n>', 'master seed (default: 0)', seed)
    .option('--validation <share>', 'share of the episodes that is held out (default: 0.1)', share)
    .option('--stop-on-collapse', 'stop once the encoder has collapsed, with exit code 1, instead of only saying so')
    .addOption(settings('change a setting'))
    .option('--resume', 'go on from the last checkpoint of the run folder')
    .action(async (encoder: string | undefined, options: PretrainOptions) => {
      const at = await line.withEngine()
      const { pretrain } = await import('./pretrain.ts')
      line.finish(at, await pretrain(at, encoder, options))
    })
  await addSettings(line, command, 'pretrain')
}

/** What `--set` can change, with its defaults: only where help is asked for, since the schemas take a while to load. */
async function addSettings(line: CommandLine, command: Command, what: 'train' | 'pretrain'): Promise<void> {
  if (!line.asksForHelp) return
  const { settingsText } = await import('./settings-text.ts')
  command.addHelpText('after', settingsText(what))
}

function addEval(line: CommandLine): void {
  const command = line.command('eval <run>', 'evaluate a run on fixed seeds, without exploration', {
    'eval runs/rig-push-seed0': 'the newest checkpoint, on 100 episodes',
    'eval runs/rig-push-seed0 --episodes 20 --video pushed.mp4': 'and show the first episodes',
  })
  withCopiesFlags(withRobotFlags(command))
    .option(
      '--env <id|address>',
      'another scene, or a robot such as tcp://127.0.0.1:5600 (default: the scene of the run)',
    )
    .option('--episodes <n>', 'episodes', episodes, 100)
    .option('--video <file>', 'also write the first episodes as .gif or .mp4')
    .option('--overwrite', 'replace a video that is there')
    .addOption(settings('an option of the scene that differs, e.g. distractor.split=test'))
    .action(
      async (
        run: string,
        options: RobotFlags &
          CopiesFlags & { episodes: number; video?: string; env?: string; overwrite?: boolean; set?: string[] },
      ) => {
        const at = await line.withEngine()
        const { evaluateRun } = await import('./eval.ts')
        line.finish(at, await line.withRobots(at, options, (robots) => evaluateRun(at, run, { ...options, robots })))
      },
    )
}

function addPlay(line: CommandLine): void {
  const command = line.command('play <run>', 'watch a run: camera, goal, decoded latent and reward as an animation', {
    'play runs/rig-push-seed0': 'the newest checkpoint, into videos/ of the run',
    'play runs/pixels-seed0 --episodes 1 --out swing.mp4': 'one episode, as a video',
  })
  withRobotFlags(command)
    .option(
      '--env <id|address>',
      'another scene, or a robot such as tcp://127.0.0.1:5600 (default: the scene of the run)',
    )
    .option('--episodes <n>', 'episodes', episodes, 3)
    .option('--out <file>', 'ends in .gif or .mp4 (default: <run>/videos/play-step<n>.gif)')
    .option('--max-seconds <s>', 'ends an episode, where a robot ends none', seconds)
    .option('--overwrite', 'replace a file that is there')
    .addOption(settings('an option of the scene that differs, e.g. distractor.split=test'))
    .action(async (run: string, options: RobotFlags & Omit<PlayOptions, 'robots'>) => {
      const at = await line.withEngine()
      const { playRun } = await import('./play.ts')
      line.finish(at, await line.withRobots(at, options, (robots) => playRun(at, run, { ...options, robots })))
    })
}

function addRewards(line: CommandLine): void {
  line
    .command(
      'rewards <encoders...>',
      'how far embeddings can be trusted as a reward, on recorded episodes, beside controls',
      {
        'rewards runs/beta-vae-seed0 --data data/push --report rewards.html': 'a page, with rewards.json beside it',
        'rewards pixels state --data data/push --no-baselines': 'two of the controls alone',
        'rewards runs/tcn --data data/pick --reward tracking --set data=data/pick --set slackSteps=5':
          'how well it pays for following a demonstration',
      },
    )
    .requiredOption('--data <dir>', 'dataset, as "armature collect" records it')
    .option('--report <file.html>', 'page to write; the same as JSON goes beside it')
    .option('--json-out <file.json>', 'JSON file to write (default: beside the page)')
    .option(
      '--reward <name>',
      'what is paid, see "armature list goal-rewards" (default: minus the distance to the goal)',
    )
    .addOption(settings('a setting of that reward, e.g. data=data/demonstrations'))
    .option('--camera <name>', "camera of the controls (default: the first encoder's)")
    .option('--seed <n>', 'of split, controls and probes', seed, 0)
    .option('--all', 'show every measure, not only those that were shown to predict how well a policy learns')
    .option('--no-baselines', 'leave out the controls that were not named')
    .option('--overwrite', 'replace files that are there')
    .action(async (names: readonly string[], options: RewardsOptions) => {
      const at = await line.withEngine()
      const { rewards } = await import('./rewards.ts')
      line.finish(at, await rewards(at, names, options))
    })
}

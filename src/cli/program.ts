import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { EngineName } from '../tensor/engine.ts'
import { ArmatureError } from '../core/errors.ts'
import type { CliContext } from './context.ts'
import { createContext } from './context.ts'
import type { AuthorizeOptions } from './authorize.ts'
import type { BenchGroup, BenchOptions } from './bench.ts'
import type { BridgeDoctorOptions } from './bridge-doctor.ts'
import type { BridgeBenchOptions } from './bridge-benchmarks.ts'
import type { CheckFlags } from './check.ts'
import type { CollectOptions, PolicyShare } from './collect.ts'
import type { ContactSheetOptions } from './contact-sheet.ts'
import type { KeygenOptions } from './keygen.ts'
import type { McapFlags } from './mcap.ts'
import type { PretrainOptions } from '../compose/encoder-training.ts'
import type { RecordOptions } from './record.ts'
import type { DriveOptions } from './drive.ts'
import type { RobotConnections, RobotFlags } from './remote.ts'
import type { OperatorCommand } from './operator.ts'
import type { RenderOptions } from './render.ts'
import type { RewardsOptions } from './rewards.ts'
import type { Size } from './render-scene.ts'
import type { ReplayOptions } from './replay.ts'
import type { WatchOptions } from './watch.ts'
import type { RobotOptions } from './robot.ts'
import type { ServeOptions } from './serve.ts'

interface GlobalOptions {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly engine?: string
  readonly threads?: number
}

/** What `collect` can do without a trained run. */
const BEHAVIOURS: readonly string[] = ['scripted', 'random', 'partial', 'noisy', 'adversarial']
const ENGINES = ['onnx', 'tensorflow', 'js', 'auto']

/**
 * The command line: one sub-command a file, all composed here and loaded when called, so that help and refusals come at once.
 * Its `parseAsync` throws ArmatureError, or commander's own error with exit code 0 once help or the version has been shown.
 */
export function buildProgram(signal: AbortSignal, version: string): Command {
  const program = new Command('armature')
    .description('Robotics RL with learned state representations: scenes, encoders, SAC in latent space.')
    .version(version)
    .option('--json', 'one JSON object as the last line of stdout')
    .option('--quiet', 'no progress and no text')
    .addOption(
      new Option('--engine <name>', `what runs compiled programs: ${ENGINES.join(', ')}`).env('ARMATURE_ENGINE'),
    )
    .option('--threads <n>', 'threads of the engine (default: half the cores, at most 4)', positiveInteger)
    .showSuggestionAfterError()
    .exitOverride((error) => {
      if (error.exitCode === 0) throw error
      if (error.code === 'commander.help') {
        process.stdout.write(program.helpInformation())
        throw new CommanderError(0, error.code, error.message)
      }
      throw new ArmatureError('bad-argument', error.message.replaceAll(/^error: |\.$/g, ''), {
        fix: 'see "armature --help"',
      })
    })
    .configureOutput({ writeErr: () => {} })

  const global = (): GlobalOptions => program.opts<GlobalOptions>()
  const context = (): CliContext => createContext(process.argv.slice(2), global(), signal)
  const withEngine = async (): Promise<CliContext> => {
    const source = program.getOptionValueSource('engine') === 'env' ? 'ARMATURE_ENGINE' : '--engine'
    const engine = engineOptions(global(), source)
    const { startEngine } = await import('../tensor/engine.ts')
    const { note } = await startEngine(engine)
    const at = context()
    if (note !== undefined) at.progress.print(`engine: ${note}\n`)
    return at
  }
  const finish = ({ json }: CliContext, result: unknown): void => {
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`)
  }
  const withRobots = async <T>(
    at: CliContext,
    flags: RobotFlags,
    work: (robots: RobotConnections) => Promise<T>,
  ): Promise<T> => {
    const { RobotConnections } = await import('./remote.ts')
    const robots = new RobotConnections(at, flags)
    try {
      return await work(robots)
    } finally {
      await robots.close()
    }
  }
  const command = (usage: string, description: string): Command =>
    program.command(usage).description(description).copyInheritedSettings(program)

  command('start', 'learn to push a puck to imagined goals in a few minutes, and show it')
    .option('--out <dir>', 'run folder (default: the first free runs/start-<n>)')
    .action(async (options: { out?: string }) => {
      const at = await withEngine()
      const { start } = await import('./start.ts')
      finish(at, await start(at, options))
    })

  withRobotFlags(command('train [preset]', 'train a preset into a run folder; see "armature list"'))
    .option('--env <id|address>', "a scene instead of the preset's, or a robot such as tcp://127.0.0.1:5600 for it")
    .option('--seed <n>', 'master seed', integer)
    .option('--steps <n>', 'env steps', positiveInteger)
    .option('--set <key=value>', 'change a setting, e.g. agent.config.learningRate=1e-3; may be repeated', collect, [])
    .option('--out <dir>', 'run folder (default: runs/<preset>-seed<n>)')
    .option('--resume', 'go on from the last checkpoint of the run folder')
    .action(async (preset: string | undefined, options: TrainFlags) => {
      const at = await withEngine()
      const { trainAndReport } = await import('./train.ts')
      finish(at, await withRobots(at, options, (robots) => trainAndReport(at, preset, { ...options, robots })))
    })

  command('pretrain [encoder]', 'train an encoder on a recorded dataset, into a run folder; see "armature list"')
    .option('--data <dir>', 'dataset, see "armature collect"')
    .option('--out <dir>', 'run folder (default: runs/<encoder>-seed<n>)')
    .option('--updates <n>', 'gradient steps', count)
    .option('--batch <n>', 'rows of a batch', positiveInteger)
    .option('--camera <name>', 'camera whose frames are learned from (default: front)')
    .option('--seed <n>', 'master seed', integer)
    .option('--validation <share>', 'share of the episodes that is held out (default: 0.1)', share)
    .option('--set <key=value>', 'change a setting, e.g. config.latentSize=4; may be repeated', collect, [])
    .option('--resume', 'go on from the last checkpoint of the run folder')
    .action(async (encoder: string | undefined, options: PretrainOptions) => {
      const at = await withEngine()
      const { pretrain } = await import('./pretrain.ts')
      finish(at, await pretrain(at, encoder, options))
    })

  withRobotFlags(command('eval <run>', 'evaluate a run on fixed seeds, without exploration'))
    .option(
      '--env <id|address>',
      'another scene, or a robot such as tcp://127.0.0.1:5600 (default: the scene of the run)',
    )
    .option('--episodes <n>', 'episodes', positiveInteger, 100)
    .option('--video <file.gif>', 'also write the first episodes as an animation')
    .action(async (run: string, options: RobotFlags & { episodes: number; video?: string; env?: string }) => {
      const at = await withEngine()
      const { evaluateRun } = await import('./eval.ts')
      finish(at, await withRobots(at, options, (robots) => evaluateRun(at, run, { ...options, robots })))
    })

  command('export <run>', 'write the policy as a self-contained .onnx file with a policy.json beside it')
    .option('--out <dir>', 'folder to write to (default: <run>/export)')
    .action(async (run: string, options: { out?: string }) => {
      const at = await withEngine()
      const { exportRun } = await import('./export.ts')
      finish(at, await exportRun(at, run, options))
    })

  command(
    'rewards <encoders...>',
    'how far embeddings can be trusted as a reward, on recorded episodes, beside controls',
  )
    .requiredOption('--data <dir>', 'dataset, as "armature collect" records it')
    .option('--report <file.html>', 'page to write; the same as JSON goes beside it')
    .option('--json-out <file.json>', 'JSON file to write (default: beside the page)')
    .option('--camera <name>', "camera of the controls (default: the first encoder's)")
    .option('--seed <n>', 'of split, controls and intervals', integer, 0)
    .option('--repetitions <n>', 'bootstrap resamples', positiveInteger, 1000)
    .option('--no-baselines', 'leave out the controls that were not named')
    .option('--overwrite', 'replace files that are there')
    .action(async (names: readonly string[], options: RewardsOptions) => {
      const at = await withEngine()
      const { rewards } = await import('./rewards.ts')
      finish(at, await rewards(at, names, options))
    })

  command('list', 'presets, envs, encoders and agents').action(async () => {
    const at = context()
    const { list } = await import('./list.ts')
    finish(at, list(at))
  })

  withKeyFlags(
    command('doctor [address]', 'what this machine has, and which engines run; of a robot: whether it can be driven'),
  )
    .option('--seconds <n>', 'for so long a robot is observed', positiveInteger, 5)
    .action(async (address: string | undefined, options: BridgeDoctorOptions) => {
      const at = context()
      if (address === undefined) {
        const { doctor } = await import('./doctor.ts')
        return finish(at, await doctor(at))
      }
      const { bridgeDoctor } = await import('./bridge-doctor.ts')
      const report = await bridgeDoctor(at, address, options)
      finish(at, report)
      if (!report.ok) process.exitCode = 1
    })

  withKeyFlags(command('watch <address>', 'what goes on at a robot, live; with --json, once'))
    .option('--seconds <n>', 'end after so long (default: with Ctrl-C)', positiveInteger)
    .action(async (address: string, options: WatchOptions) => {
      const at = context()
      const { watch } = await import('./watch.ts')
      finish(at, await watch(at, address, options))
    })

  withKeyFlags(command('record <address>', 'write what a robot shows to a file, without taking part'))
    .requiredOption('--out <file.rblog>', 'file to write')
    .option('--max-mb <n>', 'end before it is larger, in MB', positiveInteger)
    .option('--max-seconds <n>', 'end after so long (default: with Ctrl-C)', positiveInteger)
    .action(async (address: string, options: RecordOptions) => {
      const at = context()
      const { record } = await import('./record.ts')
      finish(at, await record(at, address, options))
    })

  withListenFlags(command('replay <file.rblog>', 'show a recording as its robot did, or make a dataset of it'))
    .option('--speed <x>', 'times as fast', positiveNumber, 1)
    .option('--bind <address>', 'where it can be watched', 'tcp://127.0.0.1:0')
    .option('--dataset <dir>', 'make this LeRobot v3.0 folder of its episodes instead, with the actions as applied')
    .option('--policy <name>', 'what acted in these episodes', 'recorded')
    .option('--task <text>', 'what the robot was to do, in a sentence')
    .addOption(new Option('--format <name>', 'of images in the dataset').choices(['png', 'mp4']).default('png'))
    .action(async (file: string, options: ReplayOptions) => {
      const at = context()
      const { replay } = await import('./replay.ts')
      finish(at, await replay(at, file, options))
    })

  command('render <env>', 'a picture (.png), an animation (.gif) or a video (.mp4) of a scene')
    .requiredOption('--out <file>', 'file to write; its ending chooses the format')
    .option('--cameras <names>', 'cameras, separated by commas, or "all" (default: human, else the first)', commaNames)
    .addOption(
      new Option(
        '--policy <name>',
        'what moves the scene (default: scripted where it has an expert, else random)',
      ).choices(['random', 'still', 'scripted']),
    )
    .option('--seed <n>', 'of the reset and of random play', integer, 0)
    .option('--steps <n>', 'steps before the picture (default: 0); else at most (default: an episode)', count)
    .option('--size <WxH>', 'pixels of each camera (default: 240x240, human 320x240)', imageSize)
    .option('--set <key=value>', 'an option of the env, e.g. start=random; may be repeated', collect, [])
    .option('--overwrite', 'replace a file that is there')
    .action(async (env: string, options: RenderOptions) => {
      const at = context()
      const { render } = await import('./render.ts')
      finish(at, await render(at, env, options))
    })

  withRobotFlags(
    command(
      'collect <env>',
      'record episodes of a scene, or of a robot such as tcp://127.0.0.1:5600, into a new dataset, a LeRobot v3.0 folder',
    ),
  )
    .requiredOption('--out <dir>', 'folder to make')
    .option('--episodes <n>', 'episodes', positiveInteger, 100)
    .option(
      '--policy <names>',
      'what acts: scripted, random, partial, noisy, adversarial or a run folder, or several with shares, e.g. scripted:0.7,random:0.3',
      policyShares,
    )
    .option(
      '--cameras <names>',
      'cameras, separated by commas, or "all" (default: those that the env observes)',
      commaNames,
    )
    .option('--seed <n>', 'of resets, of random play and of the order of the policies', integer, 0)
    .addOption(
      new Option('--format <name>', 'of images: png is exact, mp4 is small').choices(['png', 'mp4']).default('png'),
    )
    .option('--set <key=value>', 'an option of the env, e.g. size=64; may be repeated', collect, [])
    .option('--mcap', 'also write <dir>.mcap, for Foxglove and Rerun')
    .action(async (env: string, { mcap: alsoMcap, ...options }: CollectOptions & RobotFlags & { mcap?: boolean }) => {
      const runs = options.policy?.some(({ name }) => !BEHAVIOURS.includes(name)) ?? false
      const at = runs ? await withEngine() : context()
      const { collectDataset } = await import('./collect.ts')
      const { mcap, mcapBeside } = await import('./mcap.ts')
      const { requireNewFile } = await import('./pictures.ts')
      const file = mcapBeside(options.out)
      if (alsoMcap === true) await requireNewFile(file)
      const report = await withRobots(at, options, (robots) => collectDataset(at, env, { ...options, robots }))
      finish(at, alsoMcap === true ? { ...report, mcap: await mcap(at, options.out, { out: file }) } : report)
    })

  command(
    'check <env>',
    'test a scene, or "all", against the contract that learning relies on; exit code 1 if one fails',
  )
    .option('--seed <n>', 'of resets and random play', integer, 1)
    .option('--steps <n>', 'random steps of each case', positiveInteger, 60)
    .option('--set <key=value>', 'an option of the env, e.g. start=random; may be repeated', collect, [])
    .action(async (env: string, options: CheckFlags) => {
      const at = context()
      const { check } = await import('./check.ts')
      const report = await check(at, env, options)
      finish(at, report)
      if (!report.ok) process.exitCode = 1
    })

  command('mcap <dataset>', 'episodes as a file for Foxglove and Rerun')
    .requiredOption('--out <file.mcap>', 'file to write')
    .option('--episodes <numbers>', 'episodes, separated by commas (default: all)', commaCounts)
    .option('--cameras <names>', 'cameras, separated by commas (default: all)', commaNames)
    .option('--overwrite', 'replace a file that is there')
    .action(async (dataset: string, options: McapFlags) => {
      const at = context()
      const { mcap } = await import('./mcap.ts')
      finish(at, await mcap(at, dataset, options))
    })

  command('contact-sheet', 'one picture of all scenes from all their cameras')
    .requiredOption('--out <file.png>', 'file to write')
    .option('--seed <n>', 'of resets and random play', integer, 0)
    .option('--steps <n>', 'steps of scripted (else random) play before the picture', count, 20)
    .option('--height <n>', 'pixels of a view from top to bottom', viewHeight, 144)
    .option('--overwrite', 'replace a file that is there')
    .action(async (options: ContactSheetOptions) => {
      const at = context()
      const { contactSheet } = await import('./contact-sheet.ts')
      finish(at, await contactSheet(at, options))
    })

  command('bench', 'how fast this machine runs the parts, medians over repetitions')
    .addArgument(
      new Argument(
        '[group]',
        'env: the scenes and the parts of their steps; bridge: observations and actions between two processes',
      ).choices(['env', 'bridge']),
    )
    .option('--only <names>', 'benchmarks to run, separated by commas')
    .option('--repetitions <n>', 'timed repetitions of each', positiveInteger, 30)
    .option('--seconds <n>', 'bridge: of each measurement', positiveInteger, 20)
    .option('--minutes <n>', 'bridge --only soak: how long', positiveInteger, 10)
    .action(async (group: BenchGroup | 'bridge' | undefined, options: BenchOptions & BridgeBenchOptions) => {
      if (group === 'bridge') {
        const at = context()
        const { bridgeBench } = await import('./bridge-benchmarks.ts')
        return finish(at, await bridgeBench(at, options))
      }
      const at = await withEngine()
      const { bench } = await import('./bench.ts')
      finish(at, await bench(at, group, options))
    })

  withListenFlags(command('robot <env>', 'a scene, or "mock", as a robot behind the bridge, until Ctrl-C'))
    .option('--bind <address>', 'of its control socket; the other three take the next ports', 'tcp://127.0.0.1:5600')
    .option('--limits <file.json>', 'limits on its actions (default: the range of the actions alone)')
    .option('--lockstep', 'let time stand still until each action comes; else it passes')
    .option('--operator-arms', 'only an operator may arm it')
    .option('--allow-mismatch', 'let clients that say --accept-mismatch drive it')
    .option('--seed <n>', 'of the scene until a client resets it with another', integer)
    .option('--set <key=value>', 'an option of the env, e.g. size=64; may be repeated', collect, [])
    .action(async (env: string, options: RobotOptions) => {
      const at = context()
      const { runRobot } = await import('./robot.ts')
      finish(at, await runRobot(at, env, options))
    })

  withRobotFlags(command('drive <run>', 'let the policy of a run move a robot for some episodes'))
    .requiredOption('--to <address>', 'the robot, e.g. tcp://127.0.0.1:5600')
    .option('--episodes <n>', 'episodes', positiveInteger, 1)
    .option('--max-seconds <s>', 'end an episode then; needed where the robot ends none itself', positiveNumber)
    .option('--lockstep', 'only where time waits for the policy')
    .action(async (run: string, options: DriveOptions & RobotFlags) => {
      const at = await withEngine()
      const { driveRun } = await import('./drive.ts')
      finish(at, await withRobots(at, options, (robots) => driveRun(at, run, options, robots)))
    })

  withRobotFlags(command('serve <run>', 'be there for a robot: play episodes while an operator has it armed'))
    .requiredOption('--to <address>', 'the robot, which need not be there yet, e.g. tcp://127.0.0.1:5600')
    .option('--episodes <n>', 'end after so many (default: at Ctrl-C)', positiveInteger)
    .option('--max-seconds <s>', 'end an episode then; needed where the robot ends none itself', positiveNumber)
    .action(async (run: string, options: ServeOptions & RobotFlags) => {
      const at = await withEngine()
      const { serveRun } = await import('./serve.ts')
      const { RobotConnections } = await import('./remote.ts')
      finish(at, await serveRun(at, run, options, () => new RobotConnections(at, { ...options, arms: false })))
    })

  for (const [name, description] of Object.entries(OPERATOR_COMMANDS)) {
    const one = withKeyFlags(command(`${name} <address>`, description))
    if (name === 'stop') one.option('--safe', 'for good: only "armature clear" undoes it')
    one.action(async (address: string, options: RobotFlags & { safe?: boolean }) => {
      const at = context()
      const { operate } = await import('./operator.ts')
      finish(at, await operate(at, name as OperatorCommand, address, options))
    })
  }

  command('keygen <name>', 'make a key pair for one end of a bridge: <name>.key, which only its owner can read')
    .option('--out <dir>', 'folder of the file (default: this one)')
    .action(async (name: string, options: KeygenOptions) => {
      const at = context()
      const { keygen } = await import('./keygen.ts')
      finish(at, await keygen(at, name, options))
    })

  command('authorize <key>', 'let a public key, or that of a key file, connect to the robots that use this list')
    .addOption(
      new Option('--role <role>', 'what it may do')
        .choices(['observer', 'controller', 'operator'])
        .makeOptionMandatory(),
    )
    .option('--name <name>', 'whose it is (default: the name in its key file)')
    .option('--expires <time>', 'refuse it from then on, e.g. 2027-01-31')
    .option('--file <file.json>', 'the list', 'authorized_keys.json')
    .action(async (key: string, options: AuthorizeOptions) => {
      const at = context()
      const { authorize } = await import('./authorize.ts')
      finish(at, await authorize(at, key, options))
    })
  return program
}

/** What an operator can do. */
const OPERATOR_COMMANDS: Readonly<Record<OperatorCommand, string>> = {
  arm: 'as an operator: let the holder of the lease move a robot',
  stop: 'as an operator: bring a robot to rest and disarm it',
  clear: 'as an operator: take a robot out of a latched stop',
}

function withKeyFlags(command: Command): Command {
  return command
    .option('--key <file>', 'key file of this side, for a robot that wants keys')
    .option('--robot-key <key>', "the robot's public key, or a file with it")
}

function withListenFlags(command: Command): Command {
  return command
    .option('--key <file>', "the robot's key file, so that only authorized keys may connect")
    .option('--authorized <file.json>', 'who may connect, with --key', 'authorized_keys.json')
    .option('--insecure-lan', 'let others than this machine connect without keys')
}

function withRobotFlags(command: Command): Command {
  return withKeyFlags(command)
    .option('--accept-mismatch', 'go on with a robot that is not like the one trained on, if it allows that too')
    .option('--yes', 'move hardware without asking')
}

interface TrainFlags extends RobotFlags {
  readonly env?: string
  readonly seed?: number
  readonly steps?: number
  readonly set: readonly string[]
  readonly out?: string
  readonly resume?: boolean
}

function engineOptions(
  { engine, threads }: GlobalOptions,
  source: string,
): { name?: EngineName | 'auto'; threads?: number } {
  if (engine !== undefined && !ENGINES.includes(engine)) {
    throw new ArmatureError('bad-argument', source, {
      expected: ENGINES.join(' or '),
      got: engine,
      fix: 'see "armature doctor"',
    })
  }
  return {
    ...(engine === undefined ? {} : { name: engine as EngineName | 'auto' }),
    ...(threads === undefined ? {} : { threads }),
  }
}

function integer(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('Expected a whole number.')
  return Number(text)
}

function positiveInteger(text: string): number {
  const value = integer(text)
  if (value < 1) throw new InvalidArgumentError('Expected a whole number above 0.')
  return value
}

function positiveNumber(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value < Infinity)) throw new InvalidArgumentError('Expected a number above 0.')
  return value
}

function count(text: string): number {
  const value = integer(text)
  if (value < 0) throw new InvalidArgumentError('Expected a whole number, 0 or more.')
  return value
}

function share(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value > 0 && value < 1))
    throw new InvalidArgumentError('Expected a number between 0 and 1.')
  return value
}

/** `128x96`, or `128` for a square. */
function imageSize(text: string): Size {
  const [, width, height = width] = /^(\d+)(?:x(\d+))?$/.exec(text) ?? []
  const size = { width: Number(width), height: Number(height) }
  const isValid = [size.width, size.height].every((pixels) => pixels >= 1 && pixels <= 4096)
  if (!isValid) throw new InvalidArgumentError('Expected WIDTHxHEIGHT, each from 1 to 4096 pixels.')
  return size
}

function viewHeight(text: string): number {
  const pixels = positiveInteger(text)
  if (pixels > 1024) throw new InvalidArgumentError('Expected at most 1024 pixels.')
  return pixels
}

function commaNames(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.includes('') || new Set(names).size < names.length) {
    throw new InvalidArgumentError('Expected different names, separated by commas.')
  }
  return names
}

function commaCounts(text: string): readonly number[] {
  return commaNames(text).map(count)
}

/** `scripted:0.7,runs/a:0.3`; a share that is left out is 1. */
function policyShares(text: string): readonly PolicyShare[] {
  const shares = text.split(',').map((part) => {
    const [, name = '', share = '1'] = /^(.*?)(?::(\d*\.?\d+))?$/.exec(part.trim()) ?? []
    return { name, share: Number(share) }
  })
  const names = new Set(shares.map(({ name }) => name))
  if (names.has('') || names.size < shares.length || !shares.some(({ share }) => share > 0)) {
    throw new InvalidArgumentError('Expected different policies, separated by commas, each with a share if you like.')
  }
  return shares
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value]
}

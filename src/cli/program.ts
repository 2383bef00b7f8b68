import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { EngineName } from '../tensor/engine.ts'
import { ArmatureError } from '../core/errors.ts'
import type { CliContext } from './context.ts'
import { createContext } from './context.ts'
import type { AuthorizeOptions } from './authorize.ts'
import type { BenchGroup, BenchOptions } from './bench.ts'
import type { CheckFlags } from './check.ts'
import type { CollectOptions, PolicyShare } from './collect.ts'
import type { ContactSheetOptions } from './contact-sheet.ts'
import type { KeygenOptions } from './keygen.ts'
import type { McapFlags } from './mcap.ts'
import type { RenderOptions } from './render.ts'
import type { Size } from './render-scene.ts'

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
  const command = (usage: string, description: string): Command =>
    program.command(usage).description(description).copyInheritedSettings(program)

  command('start', 'learn to push a puck to imagined goals in a few minutes, and show it')
    .option('--out <dir>', 'run folder (default: the first free runs/start-<n>)')
    .action(async (options: { out?: string }) => {
      const at = await withEngine()
      const { start } = await import('./start.ts')
      finish(at, await start(at, options))
    })

  command('train [preset]', 'train a preset into a run folder; see "armature list"')
    .option('--seed <n>', 'master seed', integer)
    .option('--steps <n>', 'env steps', positiveInteger)
    .option('--set <key=value>', 'change a setting, e.g. agent.config.learningRate=1e-3; may be repeated', collect, [])
    .option('--out <dir>', 'run folder (default: runs/<preset>-seed<n>)')
    .option('--resume', 'go on from the last checkpoint of the run folder')
    .action(async (preset: string | undefined, options: TrainFlags) => {
      const at = await withEngine()
      const { trainAndReport } = await import('./train-report.ts')
      finish(at, await trainAndReport(at, preset, options))
    })

  command('eval <run>', 'evaluate a run on fixed seeds, without exploration')
    .option('--episodes <n>', 'episodes', positiveInteger, 100)
    .option('--video <file.gif>', 'also write the first episodes as an animation')
    .action(async (run: string, options: { episodes: number; video?: string }) => {
      const at = await withEngine()
      const { evaluateRun } = await import('./eval.ts')
      finish(at, await evaluateRun(at, run, options))
    })

  command('export <run>', 'write the policy as a self-contained .onnx file with a policy.json beside it')
    .option('--out <dir>', 'folder to write to (default: <run>/export)')
    .action(async (run: string, options: { out?: string }) => {
      const at = await withEngine()
      const { exportRun } = await import('./export.ts')
      finish(at, await exportRun(at, run, options))
    })

  command('list', 'presets, envs, encoders and agents').action(async () => {
    const at = context()
    const { list } = await import('./list.ts')
    finish(at, list(at))
  })

  command('doctor', 'what this machine has, and which engines run').action(async () => {
    const at = context()
    const { doctor } = await import('./doctor.ts')
    finish(at, await doctor(at))
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

  command('collect <env>', 'record episodes of a scene into a new dataset, a LeRobot v3.0 folder')
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
    .action(async (env: string, options: CollectOptions) => {
      const runs = options.policy?.some(({ name }) => !BEHAVIOURS.includes(name)) ?? false
      const at = runs ? await withEngine() : context()
      const { collectDataset } = await import('./collect.ts')
      finish(at, await collectDataset(at, env, options))
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
    .addArgument(new Argument('[group]', 'env: the scenes and the parts of their steps').choices(['env']))
    .option('--only <names>', 'benchmarks to run, separated by commas')
    .option('--repetitions <n>', 'timed repetitions of each', positiveInteger, 30)
    .action(async (group: BenchGroup | undefined, options: BenchOptions) => {
      const at = await withEngine()
      const { bench } = await import('./bench.ts')
      finish(at, await bench(at, group, options))
    })
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

interface TrainFlags {
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

function count(text: string): number {
  const value = integer(text)
  if (value < 0) throw new InvalidArgumentError('Expected a whole number, 0 or more.')
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

import type { Command } from 'commander'
import { Option } from 'commander'
import type { AuthorizeOptions } from './authorize.ts'
import type { CommandLine } from './command-line.ts'
import type { DriveOptions } from './drive.ts'
import type { KeygenOptions } from './keygen.ts'
import type { OperatorCommand } from './operator.ts'
import type { PrometheusOptions } from './prometheus.ts'
import { episodes, jpegQuality, megabytes, port, settings, seconds, seed, speed, wholeSeconds } from './options.ts'
import type { RecordOptions } from './record.ts'
import type { RobotFlags } from './remote.ts'
import type { ReplayOptions } from './replay.ts'
import type { RobotOptions } from './robot.ts'
import type { ServeOptions } from './serve.ts'
import type { WatchOptions } from './watch.ts'

/** What an operator can do. */
const OPERATOR_COMMANDS: Readonly<Record<OperatorCommand, string>> = {
  arm: 'as an operator: let the holder of the lease move a robot',
  stop: 'as an operator: bring a robot to rest and disarm it',
  clear: 'as an operator: take a robot out of a latched stop',
}

/** Every command that is about a robot. */
export function addBridgeCommands(line: CommandLine): void {
  addRobot(line)
  addDrivers(line)
  addOperators(line)
  addObservers(line)
  addReplay(line)
  addPrometheus(line)
  addKeys(line)
}

function addRobot(line: CommandLine): void {
  const command = line.command('robot <env>', 'a scene, or "mock", as a robot behind the bridge, until Ctrl-C', {
    'robot armature/PushPuck-v0': 'in real time, for this machine alone',
    'robot armature/PushPuck-v0 --lockstep --set size=64': 'time waits for the policy',
    'robot mock --bind tcp://0.0.0.0:5600 --key robot.key': 'for other machines, with keys',
  })
  withListenFlags(command)
    .option('--bind <address>', 'of its control socket; the other three take the next ports', 'tcp://127.0.0.1:5600')
    .option(
      '--limits <file>',
      'limits on its actions: .json, or the .urdf or MJCF .xml of the robot (default: the range of the actions alone)',
    )
    .option('--lockstep', 'let time stand still until each action comes; else it passes')
    .option('--operator-arms', 'only an operator may arm it')
    .option(
      '--jpeg-quality <n>',
      'of camera images for those who ask for JPEG, 1 to 100; 0: none (default: 85)',
      jpegQuality,
    )
    .option('--allow-mismatch', 'let clients that say --accept-mismatch drive it')
    .option('--seed <n>', 'of the scene until a client resets it with another', seed)
    .addOption(settings('an option of the env, e.g. size=64'))
    .action(async (env: string, options: RobotOptions) => {
      const at = line.context()
      const { runRobot } = await import('./robot.ts')
      line.finish(at, await runRobot(at, env, options))
    })
}

function addDrivers(line: CommandLine): void {
  const drive = line.command('drive <run>', 'let the policy of a run move a robot for some episodes', {
    'drive runs/rig-push-seed0 --to tcp://127.0.0.1:5600 --episodes 5': 'a simulated robot',
    'drive runs/rig-push-seed0 --to tcp://arm:5600 --key me.key --robot-key robot.key --max-seconds 20': 'a real one',
  })
  withRobotFlags(drive)
    .requiredOption('--to <address>', 'the robot, e.g. tcp://127.0.0.1:5600')
    .option('--episodes <n>', 'episodes', episodes, 1)
    .option('--max-seconds <s>', 'end an episode then; needed where the robot ends none itself', seconds)
    .option('--lockstep', 'only where time waits for the policy')
    .action(async (run: string, options: DriveOptions & RobotFlags) => {
      const at = await line.withEngine()
      const { driveRun } = await import('./drive.ts')
      line.finish(at, await line.withRobots(at, options, (robots) => driveRun(at, run, options, robots)))
    })
  const serve = line.command('serve <run>', 'be there for a robot: play episodes while an operator has it armed', {
    'serve runs/rig-push-seed0 --to tcp://127.0.0.1:5600': 'until Ctrl-C',
  })
  withRobotFlags(serve)
    .requiredOption('--to <address>', 'the robot, which need not be there yet, e.g. tcp://127.0.0.1:5600')
    .option('--episodes <n>', 'end after so many (default: at Ctrl-C)', episodes)
    .option('--max-seconds <s>', 'end an episode then; needed where the robot ends none itself', seconds)
    .action(async (run: string, options: ServeOptions & RobotFlags) => {
      const at = await line.withEngine()
      const { serveRun } = await import('./serve.ts')
      const { RobotConnections } = await import('./remote.ts')
      line.finish(at, await serveRun(at, run, options, () => new RobotConnections(at, { ...options, arms: false })))
    })
}

function addOperators(line: CommandLine): void {
  for (const [name, description] of Object.entries(OPERATOR_COMMANDS)) {
    const example = { [`${name} tcp://127.0.0.1:5600`]: 'the robot at this address' }
    const command = withKeyFlags(line.command(`${name} <address>`, description, example))
    if (name === 'stop') command.option('--safe', 'for good: only "armature clear" undoes it')
    command.action(async (address: string, options: RobotFlags & { safe?: boolean }) => {
      const at = line.context()
      const { operate } = await import('./operator.ts')
      line.finish(at, await operate(at, name as OperatorCommand, address, options))
    })
  }
}

function addObservers(line: CommandLine): void {
  const watch = line.command('watch <address>', 'what goes on at a robot, live; with --json, once', {
    'watch tcp://127.0.0.1:5600': 'until Ctrl-C',
    'watch tcp://127.0.0.1:5600 --json': 'what is seen within two seconds, for programs',
  })
  withKeyFlags(watch)
    .option('--seconds <n>', 'end after so long (default: with Ctrl-C)', wholeSeconds)
    .action(async (address: string, options: WatchOptions) => {
      const at = line.context()
      const { watch } = await import('./watch.ts')
      line.finish(at, await watch(at, address, options))
    })
  const record = line.command('record <address>', 'write what a robot shows to a file, without taking part', {
    'record tcp://127.0.0.1:5600 --out today.rblog': 'until Ctrl-C',
    'record tcp://127.0.0.1:5600 --out today.rblog --max-mb 500 --max-seconds 3600': 'an hour or 500 MB',
  })
  withKeyFlags(record)
    .requiredOption('--out <file.rblog>', 'file to write')
    .option('--jpeg', 'camera images as JPEG, which are a tenth as large and nearly the same')
    .option('--max-mb <n>', 'end before it is larger, in MB', megabytes)
    .option('--max-seconds <n>', 'end after so long (default: with Ctrl-C)', wholeSeconds)
    .action(async (address: string, options: RecordOptions) => {
      const at = line.context()
      const { record } = await import('./record.ts')
      line.finish(at, await record(at, address, options))
    })
}

function addReplay(line: CommandLine): void {
  const command = line.command('replay <file.rblog>', 'show a recording as its robot did, or make a dataset of it', {
    'replay today.rblog --speed 2': 'twice as fast, for "armature watch"',
    'replay today.rblog --dataset data/today --policy teleop': 'its episodes as a dataset',
  })
  withListenFlags(command)
    .option('--speed <x>', 'times as fast', speed, 1)
    .option('--bind <address>', 'where it can be watched', 'tcp://127.0.0.1:0')
    .option('--dataset <dir>', 'make this LeRobot v3.0 folder of its episodes instead, with the actions as applied')
    .option('--policy <name>', 'what acted in these episodes', 'recorded')
    .option('--task <text>', 'what the robot was to do, in a sentence')
    .addOption(new Option('--format <name>', 'of images in the dataset').choices(['png', 'mp4']).default('png'))
    .action(async (file: string, options: ReplayOptions) => {
      const at = line.context()
      const { replay } = await import('./replay.ts')
      line.finish(at, await replay(at, file, options))
    })
}

function addPrometheus(line: CommandLine): void {
  const command = line.command('prometheus <robot>', 'a page of what robots tell and show, as Prometheus reads it', {
    'prometheus tcp://127.0.0.1:5600': 'at http://127.0.0.1:9464/metrics, for this machine alone, until Ctrl-C',
    'prometheus lab --port 9465': 'all robots of robots.json whose names begin with lab/',
  })
  withKeyFlags(command)
    .option('--port <n>', 'of this machine; 0: any', port, 9464)
    .action(async (robot: string, options: PrometheusOptions) => {
      const at = line.context()
      const { prometheus } = await import('./prometheus.ts')
      line.finish(at, await prometheus(at, robot, options))
    })
}

function addKeys(line: CommandLine): void {
  line
    .command('keygen <name>', 'make a key pair for one end of a bridge: <name>.key, which only its owner can read', {
      'keygen robot --out keys': 'keys/robot.key',
    })
    .option('--out <dir>', 'folder of the file (default: this one)')
    .action(async (name: string, options: KeygenOptions) => {
      const at = line.context()
      const { keygen } = await import('./keygen.ts')
      line.finish(at, await keygen(at, name, options))
    })
  line
    .command('authorize <key>', 'let a public key, or that of a key file, connect to the robots that use this list', {
      'authorize keys/me.key --role controller': 'may drive',
      'authorize keys/guest.key --role observer --expires 2027-01-31': 'may look on, until then',
    })
    .addOption(
      new Option('--role <role>', 'what it may do')
        .choices(['observer', 'controller', 'operator'])
        .makeOptionMandatory(),
    )
    .option('--name <name>', 'whose it is (default: the name in its key file)')
    .option('--expires <time>', 'refuse it from then on, e.g. 2027-01-31')
    .option('--file <file.json>', 'the list', 'authorized_keys.json')
    .action(async (key: string, options: AuthorizeOptions) => {
      const at = line.context()
      const { authorize } = await import('./authorize.ts')
      line.finish(at, await authorize(at, key, options))
    })
}

/** Options of a command that connects to a robot. */
export function withKeyFlags(command: Command): Command {
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

/** Options of a command that may move a robot. */
export function withRobotFlags(command: Command): Command {
  return withKeyFlags(command)
    .option('--accept-mismatch', 'go on with a robot that is not like the one trained on, if it allows that too')
    .option('--jpeg', 'take camera images as JPEG: a tenth of the bytes, and pixels that are nearly the same')
    .option('--yes', 'move hardware without asking')
}

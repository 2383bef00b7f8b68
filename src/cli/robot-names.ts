import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { ArmatureError } from '../core/errors.ts'
import { isFileError } from '../io/atomic.ts'

/** Flags of every command that connects to a robot. */
export interface BridgeKeyFlags {
  /** Own key file. */
  readonly key?: string
  /** Public key of the robot, or its key file. */
  readonly robotKey?: string
}

/** A robot by its name, and how it is reached. */
export interface NamedRobot extends BridgeKeyFlags {
  readonly name: string
  readonly endpoint: string
}

const FILE = 'robots.json'
const NAME = /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/
const entry = z.union([
  z.string(),
  z.strictObject({ endpoint: z.string(), key: z.string().optional(), robotKey: z.string().optional() }),
])
const book = z.record(z.string().regex(NAME), entry)

/**
 * The robots that `robot` means: an address, which is one; or a name of the list of robots, or what names begin with, up to a slash. The list is
 * `robots.json` in this folder, or the file that `ARMATURE_ROBOTS` names: `{"lab/left": "tcp://192.168.1.20:5600", "lab/right": {"endpoint": ..,
 * "key": .., "robotKey": ..}}`.
 * @param flags win over what the list says of keys
 * @throws ArmatureError `bad-argument` for what is neither; `not-found`, `corrupt-file`
 */
export async function robotsOf(robot: string, flags: BridgeKeyFlags): Promise<readonly NamedRobot[]> {
  const given = { ...(flags.key && { key: flags.key }), ...(flags.robotKey && { robotKey: flags.robotKey }) }
  if (!NAME.test(robot)) {
    requireEndpoint(robot)
    return [{ name: robot, endpoint: robot, ...given }]
  }
  const path = process.env['ARMATURE_ROBOTS'] ?? FILE
  const robots = Object.entries(await read(path, robot)).map(([name, value]): NamedRobot => {
    const { endpoint, key, robotKey } = typeof value === 'string' ? { endpoint: value } : value
    requireEndpoint(endpoint)
    return { name, endpoint, ...(key && { key }), ...(robotKey && { robotKey }), ...given }
  })
  const meant = robots.filter(({ name }) => name === robot || name.startsWith(`${robot}/`))
  if (meant.length > 0) return meant
  throw new ArmatureError('not-found', `robot ${robot}`, {
    expected: `a name in ${path}, or an address such as tcp://127.0.0.1:5600`,
    got: `there is ${robots.map(({ name }) => name).join(', ') || 'none'}`,
  })
}

/** The same for a command that is about one. @throws ArmatureError `bad-argument` where it means several */
export async function robotOf(robot: string, flags: BridgeKeyFlags): Promise<NamedRobot> {
  const [first, ...others] = await robotsOf(robot, flags)
  if (others.length === 0) return first!
  throw new ArmatureError('bad-argument', `robot ${robot}`, {
    expected: 'one robot',
    got: [first!, ...others].map(({ name }) => name).join(', '),
  })
}

async function read(path: string, robot: string): Promise<z.infer<typeof book>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (!isFileError(error, 'ENOENT')) throw error
    throw new ArmatureError('bad-argument', `robot ${robot}`, {
      expected: `an address such as tcp://127.0.0.1:5600, which the robot says when it starts, or a name in ${path}`,
      got: `no file ${path}`,
    })
  }
  try {
    return book.parse(JSON.parse(text))
  } catch (error) {
    const got = error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : (error as Error).message
    throw new ArmatureError('corrupt-file', path, { expected: 'addresses of robots by name', got, cause: error })
  }
}

/** @throws ArmatureError `bad-argument` */
function requireEndpoint(endpoint: string): void {
  if (/^(tcp:\/\/[^\s/]+:\d+|ipc:\/\/\S+)$/.test(endpoint)) return
  throw new ArmatureError('bad-argument', 'address of a robot', {
    expected: 'such as tcp://127.0.0.1:5600, which the robot says when it starts',
    got: endpoint,
  })
}

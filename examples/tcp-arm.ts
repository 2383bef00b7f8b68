import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import type { Robot, RobotReading, RobotResetOptions, RobotSpec, StopCategory } from 'armature/bridge'

/** The arm's joints, in the order of its protocol. */
const NAMES = ['base_rad', 'shoulder_rad', 'elbow_rad']
const JOINTS = { dtype: 'float32', shape: [3], low: -2.5, high: 2.5, names: NAMES } as const
const HOME = '0 0 0'
/** At home, rad. */
const TOLERANCE_RAD = 0.01

export interface TcpArm extends Robot {
  /** The wired emergency stop, as the arm says in every status. */
  readonly isStopPressed: boolean
  /** The socket is closed, or the arm has said nothing for so long. */
  readonly statusAgeUs: number
}

/**
 * Driver of an arm whose controller speaks lines of text over TCP. It says its status all the time, `S <ms> <q1> <q2> <q3> <stop>`: its own clock,
 * joint angles in rad, and 1 where the emergency stop is pressed. It takes `M <q1> <q2> <q3>`, targets to move to, `H`, hold where you are,
 * and `O`, brakes on. The controller stops by itself when no line has come for 200 ms while it moves.
 *
 * @throws Error when there is no arm, or no status of it in 2 s
 */
export async function connectArm(host: string, port: number, clock: () => number): Promise<TcpArm> {
  const socket = connect({ host, port, noDelay: true })
  await once(socket, 'connect')
  const arm = new Arm(socket, clock)
  try {
    await arm.firstStatus(2000)
  } catch (error) {
    socket.destroy()
    throw error
  }
  return arm
}

class Arm implements TcpArm {
  readonly spec: RobotSpec = {
    name: 'example/TcpArm',
    serial: 'A-17',
    actionSpace: JOINTS,
    actionKind: 'position',
    proprioSpace: JOINTS,
    stateSpace: { dtype: 'float32', shape: [0], low: 0, high: 0 },
    imageSpaces: {},
    controlHz: 50,
    maxEpisodeSteps: 0,
    isSimulated: false,
  }
  readonly #socket: Socket
  readonly #clock: () => number
  #angles: Float32Array = new Float32Array(3)
  #statusUs = -Infinity
  #isStopPressed = false
  #failure: Error | undefined
  /** Told of each status and of the end. */
  #listeners: (() => void)[] = []

  constructor(socket: Socket, clock: () => number) {
    this.#socket = socket
    this.#clock = clock
    // The reader of lines passes on the errors of its socket: without a listener of its own, a reset connection would end the process.
    const reader = createInterface(socket)
    reader.on('line', (line) => this.#onLine(line))
    for (const source of [reader, socket]) source.on('error', (error: Error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the arm has closed the connection')))
  }

  get isStopPressed(): boolean {
    // An arm that is silent may be pressed: the bridge takes what throws for that.
    if (this.#failure !== undefined) throw this.#failure
    return this.#isStopPressed
  }

  get statusAgeUs(): number {
    return this.#clock() - this.#statusUs
  }

  async firstStatus(ms: number): Promise<void> {
    const late = setTimeout(() => this.#fail(new Error(`the arm has said nothing for ${ms} ms`)), ms)
    await this.#until(() => this.#statusUs > -Infinity).finally(() => clearTimeout(late))
  }

  /** Drives home. The arm's own controller plans the way; a stop ends it. */
  async reset({ signal }: RobotResetOptions = {}): Promise<RobotReading> {
    this.#send(`M ${HOME}`)
    const isHome = (): boolean => this.#angles.every((angle) => Math.abs(angle) < TOLERANCE_RAD)
    const again = setInterval(() => this.#send(`M ${HOME}`), 50)
    const stop = (): void => {
      clearInterval(again)
      this.#wake()
    }
    signal?.addEventListener('abort', stop)
    try {
      await this.#until(() => isHome() || signal?.aborted === true)
    } finally {
      clearInterval(again)
      signal?.removeEventListener('abort', stop)
    }
    signal?.throwIfAborted()
    return this.read()
  }

  async read(): Promise<RobotReading> {
    if (this.#failure !== undefined) throw this.#failure
    const observation = { images: {}, proprio: this.#angles.slice(), state: new Float32Array(0) }
    const ageUs = Math.max(0, this.statusAgeUs)
    return { observation, ageUs, reward: 0, terminated: false, truncated: false, info: {} }
  }

  async apply(action: Float32Array): Promise<void> {
    this.#send(`M ${[...action].join(' ')}`)
  }

  async stop(category: StopCategory): Promise<void> {
    this.#send(category === 'hold' ? 'H' : 'O')
  }

  async close(): Promise<void> {
    this.#socket.end()
  }

  #send(line: string): void {
    if (this.#failure !== undefined) throw this.#failure
    this.#socket.write(`${line}\n`)
  }

  #onLine(line: string): void {
    const [kind, , ...numbers] = line.split(' ')
    const [q1, q2, q3, pressed] = numbers.map(Number)
    if (kind !== 'S' || pressed === undefined) return this.#fail(new Error(`the arm says ${JSON.stringify(line)}`))
    this.#angles = Float32Array.of(q1!, q2!, q3!)
    this.#isStopPressed = pressed !== 0
    this.#statusUs = this.#clock()
    this.#wake()
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#wake()
  }

  #wake(): void {
    for (const listener of this.#listeners.splice(0)) listener()
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>((resolve) => this.#listeners.push(resolve))
    }
  }
}

import { randomBytes } from 'node:crypto'
import { Dealer } from 'zeromq'
import { decodeMessage, encodeMessage } from '../../bridges/protocol/codec.ts'
import type { Message, MessageOf } from '../../bridges/protocol/messages.ts'
import type { Endpoints } from '../../bridges/zmq/sockets.ts'
import { clock } from './simple-robot.ts'

type Content<M extends Message> = M extends Message ? Omit<M, 'session' | 'seq' | 'timeUs' | 'epoch'> : never

/** A client without manners: sends what it is told, with whatever header, on two sockets of one routing id. */
export class RawClient {
  session = ''
  epoch = 0
  lease = ''
  seq = 0
  readonly #control: Dealer
  readonly #action: Dealer

  constructor(endpoints: Endpoints, routingId: string = randomBytes(16).toString('hex'), receiveTimeout = 20_000) {
    const options = { routingId, linger: 0, sendTimeout: 1000, receiveTimeout }
    this.#control = new Dealer(options)
    this.#action = new Dealer(options)
    this.#control.connect(endpoints.control)
    this.#action.connect(endpoints.action)
  }

  /** @throws Error with the robot's code for a refusal */
  async request(content: Content<Message>): Promise<Message> {
    const seq = ++this.seq
    await this.#control.send(this.bytesOf(content, seq))
    const answer = await this.answerTo(seq)
    if (answer.kind === 'error') throw new Error(answer.code)
    this.session = answer.session
    this.epoch = answer.epoch
    return answer
  }

  /** The next message from control that refers to message `seq`. */
  async answerTo(seq: number): Promise<Message> {
    for (;;) {
      const [bytes] = await this.#control.receive()
      const answer = decodeMessage(bytes!)
      if ('refSeq' in answer && answer.refSeq === seq) return answer
    }
  }

  /** The bytes of a message, with the header that is right. */
  bytesOf(content: Content<Message>, seq: number = ++this.seq): Buffer {
    return encodeMessage({ ...content, ...this.#header(seq) } as Message)
  }

  /** Says it until there is an answer: of strangers a robot hears only so many messages a second. */
  async hello(): Promise<void> {
    const content = { kind: 'hello', name: 'raw', software: 'test', role: 'controller' } as const
    const { receiveTimeout } = this.#control
    const deadlineUs = clock() + 1000 * receiveTimeout
    this.#control.receiveTimeout = Math.min(500, receiveTimeout)
    for (let isAnswered = false; !isAnswered;) {
      isAnswered = await this.request({ ...content, protocols: ['1.0'], arrayCodecs: ['openpi'] }).then(
        () => true,
        (error: unknown) => {
          const isSilence = error instanceof Error && 'code' in error && error.code === 'EAGAIN'
          if (!isSilence || clock() > deadlineUs) throw error
          return false
        },
      )
    }
    this.#control.receiveTimeout = receiveTimeout
  }

  /** Asks for the lease, arms and starts. */
  async begin(): Promise<void> {
    const { lease } = (await this.request({ kind: 'lease_request', ttlMs: 10_000 })) as MessageOf<'lease'>
    this.lease = lease
    await this.request({ kind: 'command', command: 'arm', lease })
    await this.request({ kind: 'command', command: 'start', lease, mode: 'realtime' })
  }

  /** The bytes of an action; `header` replaces what would be right. */
  actionBytes(value: number, header: Partial<MessageOf<'action'>> = {}): Buffer {
    const content = { observationSeq: 0, dueUs: 0, ttlUs: 0, action: Float32Array.of(value, value) }
    return encodeMessage({ kind: 'action', lease: this.lease, ...content, ...this.#header(++this.seq), ...header })
  }

  async sendAction(bytes: Buffer): Promise<void> {
    await this.#action.send(bytes)
  }

  async sendControl(bytes: Buffer): Promise<void> {
    await this.#control.send(bytes)
  }

  close(): void {
    this.#control.close()
    this.#action.close()
  }

  #header(seq: number): { session: string; seq: number; timeUs: number; epoch: number } {
    return { session: this.session, seq, timeUs: clock(), epoch: this.epoch }
  }
}

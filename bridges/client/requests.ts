import { ArmatureError } from '../../src/core/errors.ts'
import type { HelloMessage, Message, MessageOf } from '../protocol/messages.ts'

type WithoutHeader<M> = M extends Message ? Omit<M, 'session' | 'seq' | 'timeUs' | 'epoch'> : never
/** What a client says on control; the session adds the header. */
export type ClientContent = WithoutHeader<
  HelloMessage | MessageOf<'lease_request'> | MessageOf<'command'> | MessageOf<'ping'> | MessageOf<'bye'>
>

/** The robot has not answered in time. */
export class NoAnswer extends ArmatureError {
  constructor(what: string, timeoutMs: number) {
    super('env-failed', what, {
      got: `no answer from the robot for ${timeoutMs} ms`,
      fix: 'check that it still runs and can be reached',
    })
  }
}

/** What a request is called in texts. */
export function whatOf(content: ClientContent): string {
  return content.kind === 'command' ? content.command : content.kind.replace('_', ' ')
}

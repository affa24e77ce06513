// What cdk-nag finds in the example, and why it stays. A finding that is not here stops the
// synthesis.
import { type App, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Where, which rule, and why it does not apply. */
export const ACKNOWLEDGED: readonly (readonly [path: string, rule: string, reason: string])[] = [
  // Of the platform: a stack of one's own with Latchkey in it needs these too.
  [
    'Platform/Latchkey/Template/PepperSecret',
    'SMG4',
    'A new pepper in the place of the old one would void every secret that was issued: ' +
      'docs/peppers.md rolls it by nesting.',
  ],
  [
    'Platform/Latchkey/Template/Api',
    'APIG2',
    'The functions validate requests by strict readers, and answer in the words of the ' +
      'product, which a validator of API Gateway cannot.',
  ],
  [
    'Platform/Latchkey/Template/ApimainStage',
    'APIG6',
    'Execution logs carry headers, and so tokens (LEAK-1). ' +
      'Access logs, in a format without any, are on.',
  ],
  [
    'Platform/Latchkey/Template/ApimainStage',
    'APIG3',
    'A web ACL has a price of its own: the property webAcl puts one in front of the API.',
  ],
  [
    'Platform/Latchkey/Template/AuditDeadLetters',
    'SQS3',
    'It is itself the dead-letter queue, of an event source mapping, ' +
      'which this rule does not look at.',
  ],
  // Of the guarded APIs, which stand for one's own: the example shows the authorizer and nothing
  // else.
  [
    'Guarded/Things/ServiceRole',
    'IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]',
    "The example's function does nothing but log.",
  ],
  ['Guarded/Rest', 'APIG2', 'The example has no bodies to validate.'],
  [
    'Guarded/Rest/DeploymentStage.prod',
    'APIG1',
    'The example creates no logs that somebody would pay for.',
  ],
  [
    'Guarded/Rest/DeploymentStage.prod',
    'APIG3',
    'A web ACL is for the owner of the API to choose.',
  ],
  [
    'Guarded/Rest/DeploymentStage.prod',
    'APIG6',
    'Execution logs carry headers, and so tokens (LEAK-1).',
  ],
  [
    'Guarded/Rest/Default/v1/things',
    'COG4',
    "The authorizer is Latchkey's; no user pool is part of it.",
  ],
  [
    'Guarded/Http/DefaultStage',
    'APIG1',
    'The example creates no logs that somebody would pay for.',
  ],
  ['Guarded/SocketStage', 'APIG1', 'The example creates no logs that somebody would pay for.'],
  [
    'Guarded/Socket/$default-Route',
    'APIG4',
    'API Gateway authorizes a WebSocket API at $connect alone, which has the authorizer.',
  ],
];

/** Tells cdk-nag. */
export function acknowledge(app: App): void {
  for (const [path, rule, reason] of ACKNOWLEDGED) {
    const at = path.split('/').reduce<IConstruct>((parent, id) => parent.node.findChild(id), app);
    Validations.of(at).acknowledge({ id: `AwsSolutions-${rule}`, reason });
  }
}

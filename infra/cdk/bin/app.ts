// What `cdk synth` runs: the example, judged by cdk-nag.
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { LatchkeyCode } from '../lib';
import { acknowledge } from './acknowledged';
import { example } from './example';

const app = new App();
// Programs that are built already: those of -c programs=DIRECTORY, or of the checkout. Without
// either cargo-lambda builds them.
const named = app.node.tryGetContext('programs') as string | undefined;
const built = named ?? join(__dirname, '../../../../target/lambda');
example(
  app,
  named !== undefined || existsSync(built) ? LatchkeyCode.fromDirectory(built) : undefined,
);
acknowledge(app);
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
app.synth();

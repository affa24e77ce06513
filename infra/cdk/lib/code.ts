// Where the functions' programs come from.
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { AssetHashType, DockerImage } from 'aws-cdk-lib';
import { Architecture, Code } from 'aws-cdk-lib/aws-lambda';

/** The functions' programs: built while the app is synthesized, or beforehand. */
export abstract class LatchkeyCode {
  /**
   * Programs that `cargo lambda build` made: `<directory>/<binary>/bootstrap`.
   *
   * @param directory such as `target/lambda`
   */
  static fromDirectory(directory: string): LatchkeyCode {
    return new Directory(resolve(directory));
  }

  /**
   * Builds each program with cargo-lambda while the app is synthesized.
   *
   * @param workspace the checkout of Latchkey; by default the one that this package lies in
   */
  static fromSource(workspace: string = join(__dirname, '..', '..', '..', '..')): LatchkeyCode {
    return new Source(resolve(workspace));
  }

  /** The code of one program, by the name of its binary. */
  abstract of(binary: string, architecture: Architecture): Code;
}

class Directory extends LatchkeyCode {
  constructor(private readonly directory: string) {
    super();
  }

  of(binary: string, architecture: Architecture): Code {
    const built = join(this.directory, binary);
    if (!existsSync(join(built, 'bootstrap'))) {
      const target = architecture === Architecture.ARM_64 ? '--arm64' : '--x86-64';
      throw new Error(
        `There is no program at ${join(built, 'bootstrap')}: run ` +
          `'cargo lambda build --release ${target}' in Latchkey's checkout, ` +
          'or leave code out to have it built.',
      );
    }
    const other = processorOf(join(built, 'bootstrap'));
    if (other !== undefined && other !== architecture.name) {
      throw new Error(
        `${join(built, 'bootstrap')} is built for ${other}, and the function is to run on ` +
          `${architecture.name}.`,
      );
    }
    return Code.fromAsset(built);
  }
}

/** Which processor an ELF program is for (e_machine); nothing for what is no such program. */
function processorOf(program: string): string | undefined {
  const header = Buffer.alloc(20);
  const file = openSync(program, 'r');
  try {
    readSync(file, header, 0, header.length, 0);
  } finally {
    closeSync(file);
  }
  if (header.toString('latin1', 0, 4) !== '\x7fELF') {
    return undefined;
  }
  const machine = header.readUInt16LE(18);
  return (
    { 62: Architecture.X86_64.name, 183: Architecture.ARM_64.name }[machine] ??
    `another processor (${machine})`
  );
}

class Source extends LatchkeyCode {
  constructor(private readonly workspace: string) {
    super();
  }

  of(binary: string, architecture: Architecture): Code {
    const crate = join(this.workspace, 'functions', binary);
    if (!existsSync(join(crate, 'Cargo.toml'))) {
      throw new Error(
        `There is no crate at ${crate} to build: name Latchkey's checkout by ` +
          'LatchkeyCode.fromSource(), or the directory of built programs by ' +
          'LatchkeyCode.fromDirectory().',
      );
    }
    return Code.fromAsset(crate, {
      assetHashType: AssetHashType.OUTPUT,
      bundling: {
        // Never run: what builds is `local`, and where it cannot, it says so.
        image: DockerImage.fromRegistry('scratch'),
        local: {
          tryBundle: (output: string) => {
            build(this.workspace, crate, binary, architecture, output);
            return true;
          },
        },
      },
    });
  }
}

function build(
  workspace: string,
  crate: string,
  binary: string,
  architecture: Architecture,
  output: string,
): void {
  const target = architecture === Architecture.ARM_64 ? '--arm64' : '--x86-64';
  const manifest = join(crate, 'Cargo.toml');
  const what = ['--release', '--locked', target, '--bin', binary, '--manifest-path', manifest];
  try {
    // What cargo prints goes to standard error: standard output is the app's.
    execFileSync(
      'cargo',
      ['lambda', 'build', ...what, '--lambda-dir', output, '--flatten', binary],
      {
        cwd: workspace,
        stdio: ['ignore', 2, 2],
      },
    );
  } catch (error) {
    throw new Error(
      `cargo lambda could not build ${binary}: it needs Rust and cargo-lambda ` +
        '(pip install cargo-lambda). ' +
        `LatchkeyCode.fromDirectory() takes programs that are built already. ${String(error)}`,
    );
  }
}

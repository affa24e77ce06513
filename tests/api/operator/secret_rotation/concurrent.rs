//! Two runs of one step at once: a retry that comes while the first run is still under way.

use rotation::Pace;
use tests::{
    Platform,
    rotator::{STEPS, event},
};

use super::{PACE, Scene, version};

#[tokio::test]
async fn leak_11_two_runs_of_each_step_at_once() {
    let platform = Platform::start().await;
    for round in 0..5 {
        // Longer than a run has for minting, as on Lambda: the first one is done, or given up,
        // before the second goes on without it.
        let scene = Scene::at(
            &platform,
            Pace {
                settling: PACE.minting * 2,
                ..PACE
            },
        )
        .await;
        scene.rotator.start(&version(1)).await;
        for step in STEPS {
            let run = || {
                scene
                    .function
                    .handle(event(step, &scene.rotator.arn, &version(1)))
            };
            let runs = tokio::join!(run(), run(), scene.current_works(step));
            scene.current_works(step).await;
            assert!(
                runs.0.is_ok() || runs.1.is_ok(),
                "round {round}, {step}: {runs:?}"
            );
        }
        scene.is_rotated_to(&version(1)).await;
        scene.rotate(&version(2)).await;
    }
}

/// Nothing orders the runs of two rotations either, where a person starts a second one.
#[tokio::test]
async fn leak_11_two_rotations_at_once() {
    let platform = Platform::start().await;
    for _ in 0..3 {
        let scene = Scene::new(&platform).await;
        scene.rotator.start(&version(1)).await;
        let first = async {
            // What becomes of it is open: its label is taken from it at some moment.
            drop(
                scene
                    .rotator
                    .steps(&scene.function, &version(1), async |step: &str| {
                        scene.current_works(step).await;
                    })
                    .await,
            );
        };
        let second = async {
            scene.rotator.abandon(&version(1)).await;
            scene.rotator.start(&version(2)).await;
            let well = async |step: &str| scene.current_works(step).await;
            drop(
                scene
                    .rotator
                    .complete(&scene.function, &version(2), well)
                    .await,
            );
        };
        tokio::join!(first, second);
        scene.rotator.abandon(&version(2)).await;
        scene.rotate(&version(3)).await;
    }
}

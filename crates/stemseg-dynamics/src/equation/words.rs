//! Why an equation is the answer, and what a user should know of it, in sentences.

use crate::answer::{Answer, Verdict, number};
use crate::film::Film;
use crate::find::Looked;
use crate::front::Front;
use crate::regression::{Choice, EXPLAINED};
use crate::term::{Factor, Term};

/// Why this answer, in sentences. Errors are shares of the zero model's mean square.
pub(super) fn reasons(choice: &Choice, verdict: Verdict, noise: f64) -> Vec<String> {
    let percent = |share: f64| format!("{} %", number(100.0 * share, 1.0 * share.abs()));
    let fit = &choice.front[choice.chosen];
    let size = fit.set.len();
    let terms = |count: usize| if count == 1 { "1 term".into() } else { format!("{count} terms") };
    let mut reasons = Vec::new();
    match verdict {
        Verdict::NothingMoves => {
            reasons.push(format!(
                "noise makes {} of the mean square of Phi_t, and the best equation lowers the error in blocks \
                 that it has not seen to {} of it",
                percent(noise.min(1.0)),
                percent(fit.error)
            ));
            return reasons;
        }
        Verdict::NoEquation => reasons.push(format!(
            "the best equation leaves {} of the mean square of Phi_t unexplained, of which noise makes {}",
            percent(fit.error),
            percent(fit.floor)
        )),
        Verdict::Equation => reasons.push(format!(
            "with {} the error in blocks that were held out is {} of the mean square of Phi_t; noise makes {}",
            terms(size),
            percent(fit.error),
            percent(fit.floor)
        )),
    }
    if let Some(fewer) = choice.chosen.checked_sub(1).map(|i| &choice.front[i]) {
        reasons.push(format!(
            "with {} it is {} times as large",
            terms(fewer.set.len()),
            number(fewer.error / fit.error, 0.1)
        ));
    }
    if let Some((larger, left)) = choice.instead_of {
        reasons.push(format!(
            "a boundary that is carried along explains the most; {} leave {} of the rest, and would have to leave less \
             than a tenth: where a boundary moves unevenly, other terms follow its width",
            terms(larger),
            percent(left)
        ));
    } else if let Some(more) = choice.front.get(choice.chosen + 1) {
        let why = match fit.error - fit.floor < EXPLAINED.max(0.1 * fit.floor) {
            true => "there is nothing left to explain",
            false => "one more term must halve what noise does not explain",
        };
        reasons.push(format!(
            "with {} it is {} of that: {why}",
            terms(more.set.len()),
            percent(more.error / fit.error)
        ));
    }
    reasons
}

/// What a user should know of an equation.
pub(super) fn remarks(film: &Film, seen: &Looked, answer: &mut Answer, set: &[(Term, f64)]) {
    let carried = |factor: Factor| matches!(factor, Factor::X | Factor::Y | Factor::Slope);
    let of = |wanted: Factor| {
        set.iter().find(|(term, _)| *term == Term::new(0, wanted)).map(|&(_, c)| c)
    };
    if set.iter().all(|(term, _)| term.power == 0 && carried(term.factor)) {
        answer.notes.push(
            "a boundary that keeps its shape and its speed cannot tell more: which reaction and diffusion drive \
             it would show where it starts or changes"
                .into(),
        );
    }
    if !film.is_line()
        && let Some(angle) = straight(seen)
    {
        let normal = [angle.cos(), angle.sin()];
        let along = match of(Factor::Slope) {
            // Phi falls along the normal where its gradient points back.
            Some(speed) => Some(speed.abs()),
            None if of(Factor::X).is_some() || of(Factor::Y).is_some() => {
                let velocity = [of(Factor::X), of(Factor::Y)].map(|c| -c.unwrap_or(0.0));
                Some(match (of(Factor::X), of(Factor::Y)) {
                    (Some(_), None) => velocity[0] * normal[0],
                    (None, Some(_)) => velocity[1] * normal[1],
                    _ => velocity[0] * normal[0] + velocity[1] * normal[1],
                })
            }
            None => None,
        };
        if let Some(along) = along {
            answer.notes.push(format!(
                "the boundary is straight, so that only its speed along its normal is known: {} px a frame, the \
                 normal {:.0} deg from x towards y",
                number(along, 0.01 * along.abs()),
                angle.to_degrees()
            ));
        }
    }
    for c in answer.written.terms.iter().filter(|c| c.kept < 0.8) {
        let note = format!(
            "{} is in {:.0} % of the best equations of resampled blocks alone",
            c.term,
            100.0 * c.kept
        );
        answer.notes.push(note);
    }
    if let (Some(front), Some(simulated)) =
        (&answer.front, answer.forward.as_ref().and_then(|f| f.front.as_ref()))
    {
        compare(front, simulated, &mut answer.notes);
    }
}

/// Whether the boundary followed in the film is as fast as that of the simulated film.
fn compare(front: &Front, simulated: &Front, notes: &mut Vec<String>) {
    let difference = (front.speed - simulated.speed).abs();
    let allowed =
        (0.1 * front.speed.abs()).max(4.0 * front.deviation.hypot(simulated.deviation)).max(0.01);
    if front.along == simulated.along && difference > allowed {
        notes.push(format!(
            "the boundary that is followed from frame to frame moves by {} px a frame, that of the equation by {}",
            number(front.speed, front.deviation),
            number(simulated.speed, simulated.deviation)
        ));
    }
}

/// The direction of all gradients, from x towards y, where they have one.
fn straight(seen: &Looked) -> Option<f64> {
    let [xx, xy, yy] = seen.samples.gradients;
    let (half, difference) = (0.5 * (xx + yy), 0.5 * (xx - yy));
    let spread = difference.hypot(xy);
    (half - spread < 0.01 * (half + spread)).then(|| 0.5 * (2.0 * xy).atan2(xx - yy))
}

"""The training loop: resumable, seeded, best checkpoint kept."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from torch import Tensor
from torch.nn import functional

from graph_schema import CheckpointError, InputError
from kgqa.adapt.other_words import wordings
from kgqa.files import write_atomically
from kgqa.model.controller import Plan
from kgqa.model.decision import Calibration
from kgqa.model.encoder import Encoder
from kgqa.model.network import ReaderNetwork
from kgqa.model.relations import RelationTable
from kgqa.retrieval.answers import AnswerGuesser
from kgqa.retrieval.expander import SnapshotExpander
from kgqa.retrieval.guesses import LinkGuesser
from kgqa.retrieval.keys import key_node, key_row, make_key
from kgqa.retrieval.scores import Scores, combine, read
from kgqa.retrieval.walk import Budget, Walk, walk
from kgqa.stores.snapshot import Snapshot
from kgqa.training.answers import AnswerTraining, left_open
from kgqa.training.config import TrainConfig
from kgqa.training.distill import Teaching
from kgqa.training.links import LinkTraining
from kgqa.training.loss import answer_loss, gold_of, mass_loss, none_loss
from kgqa.training.prepare import Prepared, TextStates
from kgqa.training.selection import DevScore, dev_scores, fit_guesses, judge
from kgqa.training.steps import following, known_steps, offered, steps_loss, surroundings
from kgqa.training.unanswerable import UNKNOWN_DEV, Unanswerable

STATE = "state.pt"
SETTINGS = "train.json"
UNANSWERABLE = 300  # dev questions, about, that are asked in words of no relation, for the calibration
SAVED_EVERY = 30.0  # seconds
LOST = 3.0  # a question is lost whose answers have got less than exp(-3) of the mass
FAINT = 1e-30  # mass that counts as none: the gradient of its logarithm must be finite


@dataclass(frozen=True, slots=True)
class Progress:
    """What one step says to the progress bar; ``dev`` is the latest look at the dev questions."""

    step: int
    steps: int
    loss: float
    dev: DevScore | None


@dataclass
class Trained:
    """The outcome: the best network seen on dev, its score, and the seconds spent in this and earlier sittings.

    ``guesses``: the calibration of what rests on guesses.
    """

    network: ReaderNetwork
    dev: DevScore
    seconds: float
    step: int
    guesses: Calibration | None = None


def batch_at(step: int, size: int, batch: int, seed: int) -> Tensor:
    """The questions of one step: epochs are seeded permutations, so any step can be had without the ones before."""
    per_epoch = max(1, size // batch)
    epoch, within = divmod(step, per_epoch)
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
    return order[within * batch : (within + 1) * batch].sort().values


def _fingerprint(parts: Iterable[bytes]) -> str:
    """16 hex digits over what a run is trained on."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


class Trainer:
    """Trains one reader network on one snapshot.

    Args:
        config: settings. encoder: the frozen encoder. snapshot: the graph.
        train, dev: prepared questions over that snapshot.
        run: directory for state and best checkpoint; a run found there with the same settings is gone on with.
        device: where the network runs. start: weights to begin with, of a network of the same settings. With
            ``keep_start``, what is looked at and kept is a mean of these and the weights learned, since steps on some
            relations unlearn others (WiSE-FT, Wortsman et al. 2022, arXiv:2109.01903).
        teaching: what teachers say of the training questions.

    Raises:
        CheckpointError: ``run`` holds a run of other settings or data, or can't be read.
        InputError: no training question has both a topic and an answer in the graph.
    """

    def __init__(
        self,
        config: TrainConfig,
        encoder: Encoder,
        snapshot: Snapshot,
        train: Prepared,
        dev: Prepared,
        run: Path,
        device: str = "cpu",
        start: Mapping[str, Tensor] | None = None,
        teaching: Teaching | None = None,
    ) -> None:
        self.teaching = teaching
        self.config, self.train, self.dev, self.run = config, train, dev, run
        self.device = torch.device(device)
        self.encoder = encoder
        torch.manual_seed(config.seed)
        self.network = ReaderNetwork(config.model).to(self.device)
        self.start = start
        if start is not None:
            self.network.load_state_dict(start)
        self.expander = SnapshotExpander(snapshot, self.device)
        self.relation_text = encoder.relation_texts(snapshot.schema(), snapshot.relations()).to(self.device)
        self.wordings = wordings(self.network, encoder, snapshot.schema(), snapshot.relations(), snapshot.said)
        rows = train.rows.start.diff() > 0
        answers = train.answers.start.diff() > 0
        if teaching is not None:
            answers = answers | ~teaching.labelled
        self.usable = torch.nonzero(rows & answers).squeeze(-1)
        if not len(self.usable):
            raise InputError(
                "no training question has a topic and an answer that are in the graph",
                fix="Check that the questions belong to this store, and that topics stand in [brackets]",
            )
        taught = config.steps_weight or config.way_steps
        self.steps = known_steps(train, snapshot, config.model.max_hops) if taught else None
        self.around = () if self.steps is None else surroundings(train, self.steps, self.expander)
        known = self.relation_text if self.wordings is None else torch.cat([self.relation_text, self.wordings.text])
        self.following = torch.zeros(0, dtype=torch.int64) if self.steps is None else following(snapshot)
        self.unanswerable = Unanswerable(config, train, encoder, known)
        dev_unanswerable = Unanswerable(config, dev, encoder, known, UNKNOWN_DEV)
        self.dev_texts, self.dev_unknown = dev_unanswerable.texts, dev_unanswerable.all_unknown()
        # The link predictor learns by itself, before: what it guesses must not change while questions are read. And
        # the answer predictor afterwards, from what was read.
        learning = [p for name, p in self.network.named_parameters() if not name.startswith(("links.", "answers."))]
        self.optimizer = torch.optim.AdamW(learning, lr=config.learning_rate, weight_decay=1e-4)
        self.linked = self.network.links is None
        self.way_step, self.step, self.looked, self.spent, self.saved = 0, 0, -1, 0.0, 0.0
        self.best: DevScore | None = None
        self.best_weights: dict[str, Tensor] = {}
        self._settings = {
            "config": config.model_dump(),
            "questions": _fingerprint(repr(q).encode() for q in train.questions),
            "dev": _fingerprint(repr(q).encode() for q in dev.questions),
            "graph": _fingerprint(
                part.tobytes()
                for part in (snapshot.group_start, snapshot.group_relation, snapshot.edge_start, snapshot.edge_target)
            ),
            "schema": snapshot.schema().fingerprint(snapshot.relations()),
            "encoder": encoder.fingerprint(),
        }
        if self.wordings is not None:
            self._settings["wordings"] = _fingerprint([self.wordings.text.cpu().numpy().tobytes()])
        if start is not None:
            self._settings["start"] = _fingerprint(start[name].cpu().numpy().tobytes() for name in sorted(start))
        if teaching is not None:
            self._settings["teachers"] = teaching.teachers
        self._resume()

    def fit(
        self,
        progress: Callable[[Progress], None] = lambda _: None,
        room: Callable[[], Mapping[str, int]] | None = None,
    ) -> Trained:
        """Train to the end and return the best. A KeyboardInterrupt is let through once the state is saved.

        Args:
            room: asked when all is ready for the first step: settings to change (``steps``, ``way_steps``, the looks),
                as there is time for them. No more steps than the settings had before.
        """
        texts = TextStates(self.encoder, self.unanswerable.texts, only=self._needed())
        dev_texts = TextStates(self.encoder, self.dev_texts)
        if room is not None:
            most, found = self.config.steps, dict(room())
            self.config = self.config.model_copy(update={**found, "steps": min(most, found.get("steps", most))})
        began = self.saved = time.monotonic()
        before = self.spent
        try:
            self._link(progress)
            self._ways(texts, progress)
            self.spent = before + time.monotonic() - began
            self._look_if_due(dev_texts)  # a run may have been interrupted while it looked
            while self.step < self.config.steps:
                loss = self._step(texts)
                self.step += 1
                self.spent = before + time.monotonic() - began
                self._look_if_due(dev_texts)
                self._save_if_due()
                progress(Progress(self.step, self.config.steps, loss, self.best))
        finally:
            self._save()
        self.network.load_state_dict(self.best_weights)
        assert self.best is not None
        spent = self.spent + self._learn_answers(texts, self.best.calibration, progress)
        return Trained(self.network, self.best, spent, self.step, self._guesses(dev_texts))

    def _link(self, progress: Callable[[Progress], None]) -> None:
        """Teach the link predictor, if there is one, and guess by it from then on."""
        links, config = self.network.links, self.config
        if links is None:
            return
        if not self.linked:
            taught = LinkTraining(config.link_steps, config.link_queries, config.link_hidden, config.seed)
            for step, loss in enumerate(taught.steps_on(links, self.expander, self.relation_text), 1):
                progress(Progress(step, config.link_steps, loss, None))
            self.linked = True
            self._save()
        links.requires_grad_(False)
        self.expander.guesser = LinkGuesser(links, self.relation_text, self.expander)

    def _learn_answers(self, texts: TextStates, facts: Calibration, progress: Callable[[Progress], None]) -> float:
        """Teach the answer predictor, if there is one, and guess by it from then on; gives the seconds that took.

        A run that was interrupted here begins this anew.
        """
        answers, guesser, config = self.network.answers, self.expander.guesser, self.config
        if answers is None or guesser is None:
            return 0.0
        began = time.monotonic()
        answer_guesser = AnswerGuesser(answers, self.relation_text, self.expander)
        order = torch.randperm(len(self.usable), generator=torch.Generator().manual_seed(config.seed))
        unsettled = left_open(
            self.network, self.expander, self._whole_table(), self.train, texts, self.usable[order],
            Budget(config.budget_edges), facts, config.answer_questions,
        )  # fmt: skip
        if unsettled and config.answer_steps:
            taught = AnswerTraining(config.answer_steps, config.answer_batch, config.seed)
            for step, loss in enumerate(taught.steps_on(answer_guesser, unsettled), 1):
                progress(Progress(step, config.answer_steps, loss, self.best))
            answers.taught.fill_(1)
            guesser.answers = answer_guesser
        answers.requires_grad_(False)
        return time.monotonic() - began

    def _guesses(self, texts: TextStates) -> Calibration | None:
        """The calibration of guesses on the dev questions, if there are any."""
        if self.network.links is None or self.best is None:
            return None
        budget = Budget(self.config.budget_edges)
        return fit_guesses(
            dev_scores(
                self.network, self.expander, self._whole_table(), self.dev, texts, self._spread(), budget,
                facts=self.best.calibration,
            )
        )  # fmt: skip

    def _spread(self) -> Tensor:
        """Which dev questions are looked at."""
        size = len(self.dev.questions)
        return torch.arange(0, size, max(1, -(-size // self.config.dev_questions)))

    def _ways(self, texts: TextStates, progress: Callable[[Progress], None]) -> None:
        """Teach the known ways alone, if so many steps are wanted: nothing is walked, so a step is cheap."""
        config, data = self.config, self.train
        if self.steps is None or self.way_step >= config.way_steps:
            return
        rows = torch.nonzero((self.steps >= 0).any(-1)).squeeze(-1)
        while len(rows) and self.way_step < config.way_steps:
            self._set_rate(self.way_step, config.way_steps)
            row = rows[batch_at(self.way_step, len(rows), min(config.way_batch, len(rows)), config.seed + 2)]
            text, of_text = torch.unique(data.row_text[row], return_inverse=True)
            plan = self.network.plan(texts.take(text, self.device)).take(of_text.to(self.device))
            table = self._table(self.way_step)
            loss = self._way_loss(plan, table, row)
            self._learn(loss / len(row))
            self.way_step += 1
            self._save_if_due()
            progress(Progress(self.way_step, config.way_steps, float(loss.detach()) / len(row), None))

    def _way_loss(self, plan: Plan, table: RelationTable, row: Tensor, taught: Tensor | None = None) -> Tensor:
        """The loss on the known ways of some rows, see ``kgqa.training.steps``; the sum over those that are taught."""
        assert self.steps is not None
        steps = self.steps[row]
        around = offered(self.around, row, steps, len(self.relation_text), self.following)
        return steps_loss(self.network, plan, table, steps.to(self.device), taught, self.expander.part, around)

    def _table(self, step: int) -> RelationTable:
        """The relations for a step, with some of their other wordings: a share of them that is drawn, too.

        A reader that always had them all would never learn from "acted in" who plays in a film.
        """
        if self.wordings is None:
            return self.network.relations.table(self.relation_text)
        drawn = torch.Generator().manual_seed(1_000_000 * self.config.seed + step)
        kept = torch.rand(len(self.wordings.of), generator=drawn) < torch.rand(1, generator=drawn)
        return self.network.relations.table(self.relation_text, self.wordings.some(kept.to(self.device)))

    @torch.inference_mode()
    def _whole_table(self) -> RelationTable:
        """The relations with all their wordings, as they are read when training is over."""
        return self.network.relations.table(self.relation_text, self.wordings)

    def _set_rate(self, step: int, steps: int) -> None:
        """Linear warm-up, then linear decay to a twentieth."""
        warm = min(1.0, (step + 1) / max(1, self.config.warmup))
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * warm * max(0.05, 1 - step / steps)

    def _learn(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimizer.step()

    def _step(self, texts: TextStates) -> float:
        self._set_rate(self.step, self.config.steps)
        self.network.train()
        chosen = self._chosen(self.step)
        question, row = self.train.rows.take(chosen)
        loss = self._answers(texts, chosen, question, row) + 0.2 * self._mentions(texts)
        self._learn(loss)
        return float(loss.detach())

    def _chosen(self, step: int) -> Tensor:
        """The training questions of a step."""
        size = min(self.config.batch_size, len(self.usable))
        return self.usable[batch_at(step, len(self.usable), size, self.config.seed)]

    def _needed(self) -> Tensor:
        """Which texts the steps to come ask for: of those in words of no relation, which are many, only a few."""
        needed = torch.zeros(len(self.unanswerable.texts), dtype=torch.bool)
        steps = self.step < self.config.steps or self.way_step < self.config.way_steps
        if steps or self.network.answers is not None:
            needed[: len(self.train.texts)] = True
        for step in range(self.step, self.config.steps):
            chosen = self._chosen(step)
            question, row = self.train.rows.take(chosen)
            needed[self.unanswerable.asked(step, row, question, len(chosen))[0]] = True
        return needed

    def _answers(self, texts: TextStates, chosen: Tensor, question: Tensor, row: Tensor) -> Tensor:
        data = self.train
        # Rows that share text and start are many (templates), but their topics differ: plan each distinct text once.
        row_text, unknown = self.unanswerable.asked(self.step, row, question, len(chosen))
        text, of_text = torch.unique(row_text, return_inverse=True)
        tokens = texts.take(text, self.device)
        plan = self.network.plan(tokens).take(of_text.to(self.device))
        table = self._table(self.config.way_steps + self.step)
        topic_row, topic_node = data.row_topics.take(row)
        hide = self.unanswerable.hidden(self.step, len(chosen)) & ~unknown
        reached, reading = read(
            self.network,
            plan,
            table,
            self.expander,
            topic_row.to(self.device),
            topic_node.to(self.device),
            Budget(self.config.budget_edges),
            self.unanswerable.hide_at(self.step, plan, hide[question].to(self.device)),
        )
        gold_question, gold_node = data.answers.take(chosen)
        answerable = ~(hide | unknown)
        scores = combine(reached, reading, question.to(self.device))
        has = answerable[gold_question]
        gold = gold_question[has].to(self.device), gold_node[has].to(self.device)
        labelled = scores if self.teaching is None else self.teaching.with_answers(scores, chosen)
        loss = answer_loss(labelled, *gold, answerable=answerable.to(self.device))
        loss = loss + self._explored(plan, table, question, row, scores, *gold) / len(chosen)
        if self.steps is not None and self.config.steps_weight:
            taught = answerable[question].to(self.device)
            each = self._way_loss(plan, table, row, taught)
            loss = loss + self.config.steps_weight * each / len(chosen)
        loss = loss + self.config.none_weight * self._unheard(plan, reached, question, scores, *gold)
        return loss if self.teaching is None else self.teaching.mixed(loss, scores, chosen, answerable)

    def _explored(
        self,
        plan: Plan,
        table: RelationTable,
        question: Tensor,
        row: Tensor,
        scores: Scores,
        gold_question: Tensor,
        gold_node: Tensor,
    ) -> Tensor:
        """The loss of questions that went astray, from a walk that looks around more widely; the sum over them.

        What a plan has become sure not to follow is never walked, so nothing would say that it leads to the answers: a
        wording once lost would stay lost.
        """
        size = int(question[-1]) + 1
        gold = gold_of(make_key(scores.question, scores.node), gold_question, gold_node)
        share, found = mass_loss(scores.question, scores.log_probability.detach(), gold, size)
        asked = torch.zeros(size, dtype=torch.bool, device=self.device)
        asked[gold_question] = True
        lost = torch.nonzero(asked & (~found | (share > LOST))).squeeze(-1)[: self.config.explore]
        if not len(lost):
            return share.new_zeros(())
        rows = torch.nonzero(torch.isin(question.to(self.device), lost)).squeeze(-1)
        topic_row, topic_node = (t.to(self.device) for t in self.train.row_topics.take(row[rows.cpu()]))
        reached = walk(
            self.network,
            plan.take(rows).softened(),
            table,
            self.expander,
            topic_row,
            topic_node,
            Budget(self.config.explore_edges),
            soften=True,
        )
        got = reached.mass > FAINT
        at, node = key_row(reached.key[got]), key_node(reached.key[got])
        gold = gold_of(make_key(question.to(self.device)[rows][at], node), gold_question, gold_node)
        return mass_loss(at, reached.mass[got].log(), gold, len(rows))[0].sum()

    def _unheard(
        self, plan: Plan, reached: Walk, question: Tensor, scores: Scores, gold_question: Tensor, gold_node: Tensor
    ) -> Tensor:
        """How much "none of these" takes from questions that reached an answer of theirs; see ``none_loss``."""
        size = int(question[-1]) + 1
        found = torch.zeros(size, dtype=torch.bool, device=self.device)
        found[scores.question[gold_of(make_key(scores.question, scores.node), gold_question, gold_node)]] = True
        going = plan.stop.flip(1).cumsum(1).flip(1)
        taken = [hop.weights.sum(-1) for hop in reached.hops]
        return none_loss(going, taken, found[question.to(self.device)])

    def _mentions(self, texts: TextStates) -> Tensor:
        data, size = self.train, len(self.train.mention_text)
        if not size:
            return torch.zeros((), device=self.device)
        chosen = batch_at(self.step, size, min(self.config.batch_size, size), self.config.seed + 1)
        tokens = texts.take(data.mention_text[chosen], self.device)
        logits = self.network.topic(
            tokens.states, tokens.mask, tokens.ids == self.encoder.mask_id, data.mention_share[chosen].to(self.device)
        )
        return functional.binary_cross_entropy_with_logits(logits, data.mention_right[chosen].float().to(self.device))

    def _look_if_due(self, texts: TextStates) -> None:
        """Score the dev questions every so many steps and after the last one, and keep the best weights."""
        step, last = self.step, self.config.steps
        due = step == last or (step > 0 and step % self.config.evaluate_every == 0)
        if not due or self.step == self.looked:
            return
        learned = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        kept = self._kept(learned)
        self.network.load_state_dict(kept)
        score = self._looked(texts)
        if self.best is None or score.quality >= self.best.quality:
            self.best = score
            self.best_weights = {k: v.cpu() for k, v in kept.items()}
        self.network.load_state_dict(learned)
        self.looked = self.step

    def _kept(self, learned: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weights to keep: those learned, or their mean with those that the reader began with."""
        share = self.config.keep_start
        if self.start is None or not share:
            return learned
        return {k: torch.lerp(v, self.start[k].to(v.device), share) for k, v in learned.items()}

    def _looked(self, texts: TextStates) -> DevScore:
        """How good the network is on the dev questions."""
        spread = self._spread()
        budget = Budget(self.config.budget_edges)
        table = self._whole_table()
        scored = dev_scores(self.network, self.expander, table, self.dev, texts, spread, budget)
        unknown = None
        if len(self.dev_unknown.questions):
            some = spread[:: max(1, round(len(spread) / UNANSWERABLE))]
            unknown = dev_scores(self.network, self.expander, table, self.dev_unknown, texts, some, budget)
        return judge(scored, unknown)

    def _save_if_due(self) -> None:
        if time.monotonic() - self.saved > SAVED_EVERY:
            self._save()
            self.saved = time.monotonic()

    def _save(self) -> None:
        self.run.mkdir(parents=True, exist_ok=True)
        write_atomically(self.run / SETTINGS, (json.dumps(self._settings, indent=1) + "\n").encode())
        state = {
            "step": self.step,
            "way_step": self.way_step,
            "linked": self.linked,
            "looked": self.looked,
            "spent": self.spent,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": None if self.best is None else self.best.as_dict(),
            "best_weights": self.best_weights,
        }
        packed = io.BytesIO()
        torch.save(state, packed)
        write_atomically(self.run / STATE, packed.getvalue())

    def _resume(self) -> None:
        if not (self.run / STATE).exists():
            return
        try:
            settings = json.loads((self.run / SETTINGS).read_text("utf-8"))
            if not is_zipfile(self.run / STATE):  # torch would take it for a pickle of old
                raise ValueError(f"{STATE} is damaged")
            state: dict[str, Any] = torch.load(self.run / STATE, map_location=self.device, weights_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"the run can't be read ({' '.join(str(error).split())[:200]})",
                where=str(self.run),
                fix="Give another directory, or delete it",
            ) from error
        if settings != self._settings:
            differing = sorted(k for k in self._settings if settings.get(k) != self._settings[k])
            raise CheckpointError(
                f"there is a run of other settings here (differing: {', '.join(differing)})",
                where=str(self.run),
                fix="Give the same settings to go on with it, or another directory to start anew",
            )
        self.linked, self.way_step = state["linked"], state["way_step"]
        self.step, self.looked, self.spent = state["step"], state["looked"], state["spent"]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["best"] is not None:
            self.best = DevScore(**state["best"])
        self.best_weights = state["best_weights"]

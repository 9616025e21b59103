"""How a reader is trained."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kgqa.model.config import ModelConfig


class TrainConfig(BaseModel):
    """Settings of a training run. Frozen; kept with the run; a resumed run must have the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: ModelConfig = ModelConfig()
    seed: int = 0
    steps: int = Field(
        2000, ge=0, description="optimizer steps; with none, dev questions are looked at and that is all"
    )
    batch_size: int = Field(64, gt=0, description="questions a step")
    learning_rate: float = Field(2e-3, gt=0)
    warmup: int = Field(50, ge=0, description="steps over which the learning rate rises")
    clip: float = Field(1.0, gt=0, description="gradient norm")
    budget_edges: int = Field(20_000, gt=0, description="facts a row may expand at one hop while training")
    hide_share: float = Field(0.1, ge=0, lt=1, description="share of questions made unanswerable by a hidden relation")
    hide_from: float = Field(0.1, ge=0, le=1, description="share of the steps after which these two start")
    unknown_share: float = Field(0.05, ge=0, lt=1, description="share of questions asked in words of no relation")
    none_weight: float = Field(0.2, ge=0, description="weight of the loss that holds 'none of these' down")
    explore: int = Field(16, ge=0, description="lost questions of a step, at most, that are walked once more, widely")
    explore_edges: int = Field(2000, gt=0, description="facts that such a walk may expand at one hop")
    mention_questions: int = Field(8000, ge=0, description="questions whose mentions teach the topic scorer")
    mixture: float = Field(0.5, ge=0, le=1, description="of several graphs: 1 by number of questions, 0 each as often")
    distill_weight: float = Field(0.5, ge=0, le=1, description="with teachers: share of the loss that is theirs")
    temperature: float = Field(2.0, gt=0, description="with teachers: how far probabilities are softened")
    steps_weight: float = Field(0.0, ge=0, description="of the loss on the relations of known paths, see steps.py")
    way_steps: int = Field(0, ge=0, description="steps before, on the relations of known paths alone: no walk")
    way_batch: int = Field(256, gt=0, description="rows of such a step")
    link_steps: int = Field(200, ge=0, description="with guesses: steps that the link predictor is taught before")
    link_queries: int = Field(96, gt=0, description="facts that it has to find again in a step")
    link_hidden: float = Field(0.5, gt=0, lt=1, description="share of the facts that is hidden meanwhile, at most")
    answer_steps: int = Field(
        1400, ge=0, description="with around: steps that the answer predictor is taught afterwards"
    )
    answer_batch: int = Field(96, gt=0, description="questions of such a step")
    answer_questions: int = Field(30_000, gt=0, description="questions that it is taught on, at most")
    keep_start: float = Field(0.0, ge=0, lt=1, description="of a reader begun with: its share in the weights kept")
    evaluate_every: int = Field(200, gt=0, description="steps between looks at the dev questions")
    dev_questions: int = Field(1500, gt=0, description="dev questions looked at, at most, spread evenly")

    @field_validator("model")
    @classmethod
    def _guesses_have_slots(cls, model: ModelConfig) -> ModelConfig:
        # Not the model's own check: checkpoints made before it, in which guess said nothing, are still read.
        if model.guess and not model.slots:
            raise ValueError("guess: facts are guessed from slots, and slots is off")
        return model

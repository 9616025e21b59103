"""What a reader network is made of: sizes, and the switches that take parts out for ablation."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ModelConfig(BaseModel):
    """Sizes (dimensions, counts) and switches. Frozen; kept in the checkpoint; unknown keys are refused.

    The switches are the ablations: ``slots`` off leaves path scores alone; ``read_gate`` or ``write_gate`` off
    holds that gate at 1; ``question_side`` or ``graph_side`` off takes that summand out of the fusion;
    ``token_attention`` off reads the mean of the tokens at every hop; ``question_stop`` off learns one distribution
    over the number of hops for all questions; ``contextual`` off reads words, in questions and relations alike, as the
    encoder's input embeddings, the same in every sentence and place; ``words_alone`` off compares relations with what
    the question's words mean in their sentence, and not with what each means alone. ``spelled``, which is off, looks
    whether they are the same words, too; ``wordings``, which is off, too, reads other words for a relation beside its
    own; ``reorder``, likewise, walks the planned hops in another order, or one of them twice, where nothing is said
    else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder_dim: int = Field(384, gt=0, description="width of the frozen encoder's token states")
    state_dim: int = Field(128, gt=0, description="width of the controller's state")
    relation_dim: int = Field(128, gt=0, description="width in which hop queries meet relation texts")
    slot_dim: int = Field(48, gt=0, description="width of a memory slot")
    slot_budget: int = Field(256, ge=0, description="slots that a row may fill; 0: one for each entity it reaches")
    vector_property: str = Field("", description="property of nodes that holds a vector, which joins their slots")
    vector_dim: int = Field(0, ge=0, description="how many numbers such a vector has")
    max_hops: int = Field(3, gt=0, le=8, description="steps the controller may plan; how many count, it decides")
    link_channels: int = Field(16, gt=0, description="kinds of paths that are counted around a node")
    read_hops: int = Field(2, gt=0, le=8, description="attention hops of the reader over the slots")
    prune: float = Field(0.02, ge=0, lt=1, description="groups below this share of the row's best are not expanded")
    min_stop: float = Field(0.01, ge=0, lt=1, description="a row stops when less than this hop probability is left")
    guess: bool = Field(False, description="guess facts that the graph lacks, from slots written on what is around")
    around: bool = Field(False, description="with guess: guess answers, too, from what is around their topic")
    slots: bool = True
    read_gate: bool = True
    write_gate: bool = True
    question_side: bool = True
    graph_side: bool = True
    token_attention: bool = True
    question_stop: bool = True
    contextual: bool = True
    words_alone: bool = True
    spelled: bool = False
    wordings: bool = False
    reorder: bool = False
    absent: bool = True

    @model_validator(mode="after")
    def _vectors_have_slots(self) -> ModelConfig:
        if bool(self.vector_property) != bool(self.vector_dim):
            raise ValueError("vector_property and vector_dim are given together, or neither")
        if self.vector_dim and not self.slots:
            raise ValueError("vector_property: vectors join slots, and slots is off")
        return self

    @model_validator(mode="after")
    def _answers_are_guessed_last(self) -> ModelConfig:
        if self.around and not self.guess:
            raise ValueError("around: answers are guessed after facts, and guess is off")
        return self

    @property
    def guesses(self) -> bool:
        """Whether facts are guessed: it takes slots, without which no training begins (``TrainConfig``)."""
        return self.guess and self.slots

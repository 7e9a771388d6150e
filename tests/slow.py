"""What `make test` leaves to `make test-all`: tests that take long and repeat what a quicker one shows.

Each is a pattern of test ids, with the test that holds the same promise in `make test`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby, product

from tests.method.kinds import EVERYWHERE

SPACES = (
    "nasbench201", "darts", "mobilenet-proxyless", "mobilenet-ofa",
    "toydarts", "toydropping", "toymobilenet", "toycells64", "toyelastic", "toyhead",
)  # fmt: skip
SPLITTERS = ("none", "exhaustive", "random", "gradient", "race")
CRITERIA = ("output", "dimension", "metric", "gradient-norm", "nonlinearity", "parametric", "weight-copies")
"""Beside gradients."""
WORK_TOGETHER = "test_every_method_splitter_and_space_work_together"
LARGE = {
    ("nasbench201", "darts", "exhaustive"), ("darts", "gdas", "none"),
    ("mobilenet-proxyless", "drnas", "none"), ("mobilenet-ofa", "gdas", "none"),
}  # fmt: skip
"""Cases on spaces that take seconds, with and without splits; gradients split NAS-Bench-201 in most other tests."""
BY_CRITERIA = {
    ("toydarts", "rsps", "output"), ("toycells64", "darts", "dimension"), ("toyhead", "gdas", "metric"),
    ("toycells64", "rsps", "nonlinearity"), ("toydropping", "random", "parametric"),
    ("toymobilenet", "rsps", "parametric"), ("toydropping", "rsps", "weight-copies"),
    ("toymobilenet", "rsps", "weight-copies"), ("toydarts", "snas", "weight-copies"),
}  # fmt: skip
"""One of each, and some that are refused."""


def beside_half_of_the_pairs() -> list[str]:
    """Every method meets two or three splitters and every splitter half of the methods, on all toys.

    On the other spaces runs what is in `LARGE`.
    """
    toys = [space for space in SPACES if space.startswith("toy")]
    pairs = [(m + s, (method, each)) for m, method in enumerate(EVERYWHERE) for s, each in enumerate(SPLITTERS)]
    kept = {(toys[number // 2 % len(toys)], *pair) for number, pair in pairs if number % 2 == 0} | LARGE
    return [
        re.escape(f"{WORK_TOGETHER}[{'-'.join(case)}]")
        for case in product(SPACES, EVERYWHERE, (*SPLITTERS, *CRITERIA))
        if case not in kept | BY_CRITERIA
    ]


def halving_beside_a_diagonal() -> list[str]:
    """`make test` halves on every space, and with every method on some. (All but what `LEFT_OUT` names further.)"""
    return [
        re.escape(f"test_halving_chooses_on_every_space_whatever_the_method[{space}-{method}]")
        for t, space in enumerate(SPACES)
        for m, method in enumerate(EVERYWHERE)
        if t % len(EVERYWHERE) != m
    ]


def limits_beside_a_diagonal() -> list[str]:
    """`make test` keeps limits on every space, and with every method on some space."""
    return [
        re.escape(f"test_limits_are_kept_on_every_space_whatever_the_method[{space}-{method}]")
        for t, space in enumerate(SPACES)
        for m, method in enumerate(EVERYWHERE)
        if (t + 1) % len(EVERYWHERE) != m
    ]


def pairs_on_the_example() -> list[str]:
    """On the example of a user's own space `make test` runs every method and every splitter, but not every pair."""
    return [
        re.escape(f"test_every_method_and_splitter_searches_it[{method}-{splitter}]")
        for m, method in enumerate(EVERYWHERE)
        for s, splitter in enumerate((*SPLITTERS[:-1], *CRITERIA))
        if (m - s) % (len(SPLITTERS) - 1) or splitter in CRITERIA
    ]


LEFT_OUT = {
    "each method and splitter on the example": pairs_on_the_example(),
    "every method with some splitters and the other way round": beside_half_of_the_pairs(),
    "kills of 'halving' in test_resume.py, and ImageNet's images in test_imagenet.py": [
        r"search/test_imagenet\.py::test_it_ends_in_the_same_bytes_however_often_it_is_interrupted",
    ],
    "images stay on the disk, and another process gets the place and not the pixels, in data/test_map.py": [
        r"test_a_search_over_a_map_takes_less_memory_than_its_images",
    ],
    "any name is taken or refused in one line; what is printed of a name, in run/test_befalls_system.py": [
        r"test_a_path_that_is_no_unicode_is_printed_everywhere",
    ],
    "a worker does not take a file that has changed; what a recipe lists is loaded first": [
        r"test_a_space_of_a_file_is_searched_in_two_processes_as_in_one",
    ],
    "every space keeps the laws, in tests/test_testing.py; here with more draws": [
        r"space/test_mobilenet\.py::test_it_keeps_the_laws",
        r"space/test_darts\.py::test_it_keeps_the_laws",
    ],
    "the same of other searches whose networks are trained, in test_mobile.py and test_retrained.py": [
        r"test_ofa\.py::test_what_is_told_is_of_the_search_and_of_the_network_trained_from_scratch",
    ],
    "elastic networks are split by their depths; the commands of the README, and tests/evolve": [
        rf"{WORK_TOGETHER}\[mobilenet-ofa-sandwich-gradient",
        r"test_the_guide_to_once_for_all_runs_from_top_to_bottom",
    ],
    "packed weights, and the root's guards, in the same files": [
        r"test_it_is_refused_in_one_line_and_does_nothing\[a packed checkpoint\]",
        r"test_every_leaf_is_watched_and_told_once",
    ],
    "the same in another space": [
        r"test_neither_threads_nor_a_loss_or_an_earlier_seed_change_what_is_measured\[(?!ragged)",
        r"test_what_needs_no_search_is_trained_beside_the_one_shot_search",
        r"test_elastic_networks_are_split_by_any_of_their_dimensions\[(?!.*depth)",
    ],
    "the fixture of tests/design/test_runner.py, a design that is interrupted, and its decisions in test_work.py": [
        r"test_interrupted_it_ends_as_if_it_had_not_been",
        r"test_a_design_by_ray_is_interrupted_saves_and_goes_on_there",
        r"test_the_guide_to_designing_runs_from_top_to_bottom",
        r"design/test_runner\.py::test_pretrained_weights_are_begun_with_and_fine_tuned",
        r"design/test_runner\.py::test_without_time_for_a_supernet_others_get_it",
    ],
    "every criterion on NAS-Bench-201, elastic layers and cells that drop edges": [
        r"test_it_is_symmetric_and_goes_with_the_order_of_candidates\[.*-toy(darts|mobilenet|cells64|head)\]",
    ],
    "floors and supernets judged in two ways, in the same file": [
        r"test_one_supernet_is_judged_in_three_ways_and_wide_too",
    ],
    "the same with other numbers": [r"test_the_planned_work_is_the_work_done\[changes[4679]\]"],
    "each trainer of elastic networks, with one splitter": [
        rf"{WORK_TOGETHER}\[mobilenet-ofa-sandwich-(?!gradient\])",
        rf"{WORK_TOGETHER}\[mobilenet-ofa-subnets-(?!none)",
    ],
    "its phases, an interrupted one, and its children in method/test_shrinking.py; elastic layers of a toy": [
        r"test_a_run_that_is_killed_in_every_phase_ends_in_the_same_bytes\[shrinking\]",
        rf"{WORK_TOGETHER}\[mobilenet-ofa-shrinking-",
        r"whatever_the_method\[mobilenet-ofa-",
    ],
    "limits on the toys of each of these spaces": [
        r"test_limits_are_kept_on_every_space_whatever_the_method\[(darts|mobilenet-proxyless)-",
    ],
    "halving on NAS-Bench-201, on what drops edges and on elastic layers": [
        r"test_halving_chooses_on_every_space_whatever_the_method\[(toydarts|toymobilenet|toycells64|toyhead)-",
        r"test_halving_chooses_on_every_space_whatever_the_method\[(darts|mobilenet-proxyless)-",
    ],
    "every space and every method, but not every pair": [*halving_beside_a_diagonal(), *limits_beside_a_diagonal()],
    "limits on the other spaces; of methods that learn weights the penalty in test_limits.py": [
        r"test_no_search_ever_chooses_what_is_above",
        r"test_limits_are_kept_on_every_space_whatever_the_method\[toy(mobilenet|cells64|head)-",
    ],
    "every format in export/test_export.py; here a network with a head as plain PyTorch": [
        r"test_a_network_of_every_space_is_written_in_every_format\[(?!toyhead-plain\])",
        r"export/test_environments\.py",
        r"test_a_network_of_timms_is_written_in_every_format\[(onnx|torch)\]",
        r"test_the_opset_is_the_one_that_was_asked_for",
        r"test_the_guide_to_exporting_runs_from_top_to_bottom",
    ],
    "the same of retrained networks in test_retrained.py": [r"test_mobile\.py::test_it_is_told_again"],
    "fronts of DARTS, and the members of all": [
        r"pareto/test_front\.py::(?!test_members).*\[(rsps|limited)",
        r"pareto/test_front\.py::test_members.*\[(rsps|limited)-params",
    ],
    "the same for 'darts that inherits', of kills for 'rsps' and 'halving' too, of merging for 'halving' too": [
        r"test_any_number_of_workers_leaves_the_same_bytes\[(random|darts|rsps|outputs|halving)\]",
        r"test_a_run_that_is_killed_in_every_phase_ends_in_the_same_bytes"
        r"\[(random|darts.*|snas|drnas|race|outputs|dimensions|depths|parametric|weight copies|rsps|evolution"
        r"|recalibrated|proxyless)\]",
        r"test_parts_that_end_in_any_order_leave_the_same_behind\[(random|darts|rsps|exhaustive|three levels)\]",
    ],
    "parts that end in any order, and a run that is killed and goes on with any number of workers": [
        r"test_any_number_of_workers_leaves_the_same_bytes\[darts that inherits\]",
    ],
    "a study that is asked to stop, and Ctrl-C in a search": [
        r"test_a_study_that_is_interrupted_by_hand_goes_on_from_there",
    ],
    "the laws with the other stem, and what the stem for ImageNet costs": [
        r"test_the_stem_for_imagenet_keeps_the_laws",
    ],
    "the same for the other spaces": [
        r"test_the_units_are_those_that_costs_ask_for_with_modules_of_their_shapes\[MobileNetProxyless\]",
    ],
    "Ctrl-C outside of a fork": [r"test_ctrl_c_in_the_middle_of_a_fork_is_heard\[2\]"],
    "the same for Ctrl-C and a terminal that is closed": [
        r"test_a_process_that_is_asked_to_stop_saves_and_says_how_to_go_on\[1[05]\]",
    ],
    "a run whose processes are killed goes on with any number of workers": [
        r"test_a_process_that_is_killed_leaves_what_the_run_goes_on_from",
    ],
    "the commands of the README, and tests/evolve and tests/retrain/test_verdict.py": [
        r"test_the_guide_to_(the_verdict|evolution)_runs_from_top_to_bottom",
    ],
    "after each of the first steps both have the same loss; a replay is the race on the network itself": [
        r"test_curves_have_a_loss_for_every_epoch",
        r"test_the_command_measures_once_and_reports_every_rule",
    ],
    "the same for Ctrl-C, and for a closed terminal without workers": [
        r"test_a_search_that_is_asked_to_stop_saves_every_part\[(warned_by_slurm|to_all|closing_the_terminal)\]",
        r"test_ctrl_c_in_the_middle_of_a_fork_is_heard\[15\]",
    ],
    "the same in one process, and two processes that make one map in data/test_map.py": [
        r"test_a_search_over_a_map_leaves_the_same_bytes\[2\]",
    ],
    "the same in one process, and workers that are asked to stop in test_workers.py": [
        r"test_a_callback_that_raises_interrupted_stops_a_search_which_goes_on\[2\]",
    ],
    "the same where nobody reads what is told": [r"test_progress_on_a_full_disk_costs_no_search"],
    "the same in the last place": [r"test_a_stage_of_ones_own_is_walked_saved_and_planned\[[01]\]"],
    "the same with splits, and with two at once": [
        r"test_the_planned_work_is_the_work_done\[changes([125]|1[12])\]",
        r"test_the_steps_planned_are_the_steps_done\[changes[0123478]\]",
        r"test_any_branching_factor_gives_as_many_leaves\[(\[2, 3\]|3)-",
        r"test_a_plan_tells_of_the_images_what_a_search_keeps\[made here-(three|imbalance)\]",
        r"test_train_and_test_with_capitals_are_parts_and_no_classes\[made here-capital-Test\]",
    ],
    "other spaces in two processes, and the example in one": [
        r"test_it_is_studied_in_two_processes_and_measured_again",
        r"test_chain_example\.py::test_two_workers_that_are_interrupted_and_go_on_find_what_one_finds",
    ],
    "the same in float64, of the DARTS space with two cells, and of options beside those of their kind": [
        r"test_gradients_of_weights_and_alphas_are_the_same\[.*torch\.float32\]",
        r"test_every_option_changes_something\[(split\.similarity=l2|data\.padding=3|split\.average=similarities)\]",
        r"test_similarities_of_an_edge_are_the_same\[.*torch\.float32\]",
        r"test_(similarities_of_an_edge|second_order_gradients)_are_the_same\[\('darts', 3, 4, 12\)",
    ],
    "a worker of SLURM and one of a process that end, counted as Ray's are; what Ray refuses, and where it is": [
        r"engine/test_ray\.py::test_(?!.*refused)(?!.*address)",
    ],
    "the guide to Python, the README's commands, and the guides to its parts": [
        r"test_the_guide_to_comparing_runs_from_top_to_bottom",
    ],
    "each sampler and hook in test_samplers.py and test_hooks.py; two of them here, on a toy": [
        r"test_samplers_and_hooks_work_on_every_space_with_splits_and_limits"
        r"\[(?!toymobilenet-(one-change|gradient-projection)\])",
    ],
    "the other samplers, and balanced groups within limits that are listed": [
        r"test_every_sampler_keeps_limits\[Balanced\]",
    ],
    "what importance and one-change learn": [r"test_what_samplers_and_hooks_learn_is_saved\[changes[01]\]"],
    "the same of one node in test_hooks.py, and kills of the others": [
        r"test_a_run_that_is_killed_in_every_phase_ends_in_the_same_bytes\[(importance|one-change)",
        r"test_any_number_of_workers_leaves_the_same_bytes\[importance",
    ],
    "the same cut down for NAS-Bench-201 and for a MobileNet": [
        r"test_a_recipe_runs_when_it_is_cut_down\[nasbench201-(gm-darts2|gm-snas|gm-rsps|small)",
        r"test_a_recipe_runs_when_it_is_cut_down\[mobilenet-proxyless",
    ],
    "the same where it is stopped in the middle of a step": [
        r"test_interrupted_it_goes_on_and_writes_the_same_bytes\[asked",
    ],
    "a worker that is killed is one line, and a run goes on with any number of workers": [
        r"test_a_run_whose_processes_are_killed_goes_on_with_any_number_of_workers",
    ],
    "one job that is preempted, in submitit's executor for one machine; other ends in test_slurm_cluster.py": [
        r"engine/test_slurm\.py::test_(?!a_search_whose_job_is_preempted)(?!.*refuses)",
    ],
    "the same of other random networks, and of weights in a search's own process": [
        r"test_it_computes_what_timms_network_computes\[(?!0\])",
        r"search/test_beginning\.py::test_workers_get_them_too",
    ],
    "a training by this process, workers of Ray's and jobs of SLURM at searches, torchrun's in retrain/test_ranks.py": [
        r"retrain/test_job\.py::test_(a_worker_of_rays|a_job_of_slurm|two_processes)",
    ],
    "workers with a disk in common, and a store of each kind in run/test_store.py": [
        r"test_workers_that_share_no_disk_leave_the_same_bytes",
    ],
    "the same folders, made by the tests": [r"data/test_cases\.py::.*\[reference"],
    "the same for first order": [r"test_compiled_steps_are_the_same_steps\[darts2\]"],
    "table2 is a grid of searches too; of tables 4 to 8 and of appendix B single rows run": [
        r"test_every_experiment_runs_whole_at_its_tiny_budget\[(?!table2\])",
    ],
    "the parts of a study that are stopped, and two workers of a search": [
        r"study/test_runner\.py::test_two_workers_end_in_the_same_bytes",
    ],
    "children that are judged together, in train/test_evaluator.py": [r"test_subnets_are_judged_in_every_way"],
    "Ctrl-C in tests/test_signals.py, and numbers that agree in the same file": [
        r"benchmarks/test_main\.py::test_ctrl_c_ends_it_without_a_traceback",
        r"benchmarks/test_main\.py::test_other_numbers_are_told_in_one_line_and_nothing_is_measured",
    ],
    "one rule and one similarity": [r"test_a_gradient_that_is_not_finite_is_said\[(?!filter-cos-gradients)"],
    "other ways in tests/reproduce/test_retrained.py": [r"test_random_search_has_an_architecture_that_was_not_chosen"],
    "the same at the tiny budget": [r"test_a_limit_holds_half_of_the_architectures.*\[(small|paper)\]"],
    "the steps that were measured for their seconds, the same two of the DARTS space in test_naive.py, 'sandwich'": [
        r"test_every_work_finds_the_same_both_ways\[(darts-)?(memory|floor)\]",
        r"test_every_work_finds_the_same_both_ways\[mobilenet(64-|-floor)",
        r"test_every_work_finds_the_same_both_ways\[darts-(similarity|second-order)\]",
        r"test_every_work_finds_the_same_both_ways\[(subnets|recalibration|shrinking)\]",
        r"test_every_work_finds_the_same_both_ways\[(darts-|mobilenet)",
    ],
    "the same in the middle of the run, in one such locale or encoding, or of one such file": [
        r"test_a_full_disk_leaves_the_last_checkpoint_and_once_there_is_room_the_run_goes_on\[0\.[28]\]",
        r"test_the_locale_changes_nothing_of_what_is_read\[(POSIX|en_US)",
        r"test_whatever_the_encoding_of_the_output_a_run_is_shown\[(utf-8|latin-1)\]",
        r"test_what_looks_nothing_up_runs_without_a_table_and_finds_the_same\[(table2|appendixB1)\]",
        r"test_a_ranking_is_made_again\[ranking/manifest\.json\]",
        r"test_every_child_goes_on_alone_from_every_snapshot\[(all|groups)\]",
    ],
    "files of searches, here of trials and rankings": [
        r"reproduce/test_befalls\.py::test_(trials_|a_ranking_is_made_again)",
    ],
    "the example in test_chain_example.py, and its whole text in this guide; trackers in tests/tracking": [
        r"test_the_guide_to_(extending|tracking)_runs_from_top_to_bottom",
    ],
    "the same answer as JSON": [
        r"test_an_answer_(on_a_full_disk_is_one_line|that_nobody_reads_is_no_mistake)\[words1\]",
    ],
    "a training that begins with drawn weights": [
        r"test_a_fine_tuning_that_is_killed_after_every_step_ends_in_the_same_bytes",
    ],
    "halving in test_resume.py, and others here": [
        r"test_parts_that_end_in_any_order_leave_the_same_behind\[halving\]",
    ],
    "statistics that are measured, which are the harder case": [
        r"test_all_children_and_pieces_are_judged_in_the_precision_that_is_asked_for\[statistics0\]",
    ],
    "a method of each kind": [r"test_every_method_can_be_planned\[(snas|drnas|gdas|proxyless)\]"],
    "the same commands in tests/study/test_tables.py, tests/study/test_command.py and reproduce/test_reproduce.py": [
        r"test_the_commands_of_the_readme_work\[studies\]",
    ],
    "the same where it is stopped elsewhere": [
        r"test_a_look_that_was_left_in_the_middle_is_owed_and_taken_first\[changes2\]",
        r"test_every_child_goes_on_alone_from_every_snapshot\[prefix\]",
        r"test_a_part_that_is_stopped_within_looks_and_children_ends_in_the_same_bytes",
    ],
    "races of some methods in test_every_combination.py, and of one here": [
        r"test_every_method_can_race\[(?!random)",
    ],
    "the same by another similarity, of another space, of NAS-Bench-201": [
        r"test_similarities_averaged_over_mini_batches_are_the_exact_rules\[filter-cos\]",
        r"test_before_any_step_a_network_computes_what_the_supernet_does\[darts\]",
        r"test_similarities_of_an_edge_are_the_same\[\('darts'",
    ],
    "any training that is killed after every step, and each part of the recipe in retrain/test_trainer.py": [
        r"test_the_recipe_of_gm_nas_goes_on_from_anywhere_and_ends_in_the_same_bytes",
    ],
    "a search of bundled images with a table": [r"test_gm_darts_on_cifar10_is_looked_up_in_the_table"],
    "the search of GM-NAS on ImageNet in search/test_imagenet.py": [
        r"test_a_recipe_runs_when_it_is_cut_down\[mobilenet-gm-proxyless-paper\]"
    ],
    "the recipe of gm-darts, which differs in the method only": [
        r"test_a_recipe_runs_when_it_is_cut_down\[nasbench201-(gm-(darts2|snas|rsps)-paper|small-cifar10)\]"
    ],
}
PATTERNS = [re.compile(pattern) for patterns in LEFT_OUT.values() for pattern in patterns]
"""Compiled: `re` keeps 512 of those that it compiles itself, and compiles more of them anew for every test."""


THINNED = re.compile(
    r"::test_(a_damaged_file_is_named_or_made_again|what_is_damaged_is_made_again|a_damaged_checkpoint_is_set_aside"
    r"|a_run_killed_at_a_call_ends_in_the_same_bytes|a_folder_without_permission_is_named"
    r"|any_name_is_taken_or_refused_in_one_line|json_of_another_shape_is_(named_and_)?made_again"
    r"|children_judged_together_get_what_they_get_alone|another_meta_under_a_true_manifest_is_named"
    r"|a_system_that_refuses_is_quoted_and_once_it_does_not_the_run_goes_on|the_files_of_a_run_are_made_again"
    r"|the_mark_of_another_shape_is_made_again|a_tiny_study_runs_under_every_kind_of_sharing"
    r"|what_a_kill_left_before_anything_was_begun_counts_as_empty|together_children_get_what_each_gets_alone"
    r"|after_some_epochs_all_weights_and_statistics_are_those_of_the_training_by_hand"
    r"|accuracies_are_those_of_each_child_judged_by_itself|parts_that_are_stopped_again_and_again_end_in_the_same_bytes"
    r"|members_are_those_that_no_other_beats_and_can_be_had_again"
    r"|a_flipped_bit_or_a_cut_is_named_and_the_generation_before_is_used|a_long_value_is_shown_short"
    r"|a_meta_whose_values_are_of_another_shape_is_named|a_file_that_is_a_weapon_is_refused_by_every_command"
    r"|what_can_be_made_again_is_made_again_with_a_word|what_cannot_be_made_again_is_named"
    r"|at_the_beginning_every_childs_network_computes_what_the_common_one_does)\["
)
"""Of each of these `make test` runs one case in `EACH`: the same is done to many files, or many kinds to one."""
EACH = 9


SURVIVAL = re.compile(r"^tests/survival/test_(?P<kind>\w+)\.py::.*\[")
KEPT = {
    "kills": (31, 303), "damage": (480, 1500), "full_disks": (38,), "two_writers": (4,), "clocks": (8,),
    "grace": (17,), "not_finite": (25,), "bad_images": (7,), "positions": (37,),
}  # fmt: skip
"""Of what befalls runs, the cases by number that `make test` runs; `make survival` runs all."""


def survival(ids: Sequence[str]) -> set[str]:
    """Those that `make survival` alone runs."""
    groups = groupby((each for each in ids if each.startswith("tests/survival/")), key=lambda each: each.split("::")[0])
    kept = {
        each
        for _, group in groups
        for number, each in enumerate(group)
        if (found := SURVIVAL.match(each)) and number in KEPT.get(found["kind"], ())
    }
    return {each for each in ids if each.startswith("tests/survival/")} - kept


def slow(ids: Sequence[str]) -> set[str]:
    """Those that `make test` leaves out."""
    thinned = groupby((each for each in ids if THINNED.search(each)), key=lambda each: each.partition("[")[0])
    cases = {each for _, group in thinned for number, each in enumerate(group) if number % EACH}
    return cases | {each for each in ids if any(pattern.search(each) for pattern in PATTERNS)}

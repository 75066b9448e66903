"""Reports: what they keep, what they refuse to read, and that unlike ones do not compare."""

import json

import pytest

from gan_hub.metrics.report import Estimate, Report, compare, differences
from gan_hub.model_folder.strict import LoadError

PROVENANCE = {"extractor": "digits", "real_images": 60_000, "seed": 0}


def report(value: float = 1.0, error: float | None = 0.1, **provenance) -> Report:
    return Report.of({"FD-digits": Estimate(value, error)}, PROVENANCE | provenance, {"of noise": 500.0}, "a model")


def test_an_interval_lies_around_its_score_and_a_score_without_an_error_has_none():
    assert report(1.0, 0.1).intervals["FD-digits"] == pytest.approx((0.804, 1.196))
    limited = Report.of({"share": Estimate(0.99, 0.1, 0, 1), "FD": Estimate(0.1, 0.1, 0)}, {}, {}, "")
    assert limited.intervals == {"share": pytest.approx((0.794, 1)), "FD": pytest.approx((0, 0.296))}
    assert report(1.0, None).intervals == {} == report(1.0, float("nan")).intervals


def test_a_report_is_read_as_it_was_written_and_nothing_else_is_left_there(tmp_path):
    report().write(tmp_path / "report.json")
    assert Report.read(tmp_path / "report.json") == report()
    report(2.0).write(tmp_path / "report.json")
    assert Report.read(tmp_path / "report.json") == report(2.0)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_scores_of_an_older_release_are_a_report_too(tmp_path):
    old = {"scores": {"FD-digits": 0.35}, "provenance": PROVENANCE, "scales": {"of noise": 528.3}}
    (tmp_path / "scores.json").write_text(json.dumps(old))
    assert Report.read(tmp_path / "scores.json") == Report(
        {"FD-digits": 0.35}, PROVENANCE, reference_scores={"of noise": 528.3}, subject="scores"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"provenance": {}}, "scores is None; a report has an object there"),
        ({"scores": [1], "provenance": {}}, r"scores is \[1\]; a report has an object there"),
        ({"scores": {"FD": "low"}, "provenance": {}}, "a score, an interval or a scale is not a number"),
        ({"scores": {}, "provenance": {}, "intervals": {"FD": [1]}}, "a score, an interval or a scale is not a number"),
        ({"scores": {}, "provenance": {}, "scales": 3}, "a score, an interval or a scale is not a number"),
    ],
)
def test_what_is_no_report_is_refused_by_name(tmp_path, content, said):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(content))
    with pytest.raises(LoadError, match=said):
        Report.read(path)


def test_reports_that_were_measured_alike_compare_score_by_score():
    (row,) = compare(report(1.0), report(1.3))
    assert row == ("FD-digits", 1.0, 1.3, True)
    assert compare(report(1.0), report(1.5))[0].overlap is False
    assert compare(report(1.0), report(1.5, None))[0].overlap is None


def test_unlike_reports_are_refused_with_the_difference_unless_forced():
    other = report(1.3, seed=5, resize="bicubic")
    assert differences(report(), other) == {"seed": (0, 5), "resize": (None, "bicubic")}
    with pytest.raises(ValueError, match="not measured alike: seed 0 against 5; resize None against 'bicubic'"):
        compare(report(), other)
    assert compare(report(), other, force=True)[0].second == 1.3


def test_the_same_data_by_another_name_and_images_without_a_model_compare():
    alike = {"real_sha256": "abc", "data": "mnist"}
    ours, theirs = report(1.0, **alike), report(1.0, **alike | {"data": "a-copy", "seed": None, "dtype": None})
    assert differences(ours, theirs) == {} == differences(theirs, ours)
    assert "real_sha256" in differences(ours, report(1.0, **alike | {"real_sha256": "abd"}))
    assert "data" in differences(report(1.0, data="mnist"), report(1.0, data="a-copy"))  # of unknown content


def test_a_score_that_is_no_finite_number_is_neither_written_nor_read(tmp_path):
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"score 'FD-digits' is {value}; a report has finite numbers"):
            report(value, None).write(tmp_path / "report.json")
    assert not list(tmp_path.iterdir())
    (tmp_path / "report.json").write_text('{"scores": {"FD": 1e999}, "provenance": {}}')
    with pytest.raises(LoadError, match="a score, an interval or a scale is not a number"):
        Report.read(tmp_path / "report.json")


def test_skipped_files_and_near_duplicates_are_told_but_held_against_nobody():
    clean, dirty = report(), report(skipped="3 real files (3 truncated)", near_duplicates="40 held-out images show 5")
    assert differences(clean, dirty) == {} and compare(clean, dirty)


def test_reports_without_any_score_are_refused_in_words():
    with pytest.raises(ValueError, match="no score is in both reports: none at all against FD-digits"):
        compare(Report({}, PROVENANCE), report())


def test_reports_without_a_score_in_common_are_refused():
    with pytest.raises(ValueError, match="no score is in both reports: FD-digits against FD-fashion"):
        compare(report(), Report({"FD-fashion": 1.0}, PROVENANCE))


def test_reports_of_two_commits_compare_and_those_of_other_definitions_of_the_scores_do_not():
    old, new = report(gan_hub="0.1.0"), report(gan_hub="0.2.0.dev0+g0123456789ab", definition=1)
    assert differences(old, new) == {} and compare(old, new)
    assert differences(old, report(gan_hub="0.3.0", definition=2)) == {"definition": (1, 2)}
    with pytest.raises(ValueError, match="definition 1 against 2"):
        compare(new, report(definition=2))

import pytest

from tests.analysis.answered_study import AnsweredStudy, answered_study


@pytest.fixture
def answered(db: None) -> AnsweredStudy:
    return answered_study()

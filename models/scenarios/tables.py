"""The table of scenarios. Its words are ours: it comes from ``seed.json`` and no request can change it."""

from sqlalchemy import CheckConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.database import Base
from models.vocabulary import LEVELS, TOPICS


class LearningScenario(Base):
    """One scenario. ``goals`` are lines."""

    __tablename__ = "learning_scenarios"
    __table_args__ = (
        CheckConstraint(f"level IN {LEVELS}", name="level"),
        CheckConstraint(f"topic IN {TOPICS}", name="topic"),
    )

    scenario_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    language: Mapped[str] = mapped_column(String(2))
    level: Mapped[str] = mapped_column(String(2))
    topic: Mapped[str] = mapped_column(String(16))
    title: Mapped[str] = mapped_column(String(120))
    situation: Mapped[str] = mapped_column(Text)
    goals: Mapped[str] = mapped_column(Text)

"""Epistemic uncertainty: every method makes members, networks with a leading axis ``member``."""

from verax.epistemic.bootstrap import bootstrap_factors as bootstrap_factors
from verax.epistemic.covariance import MemberHistograms as MemberHistograms
from verax.epistemic.covariance import event_covariance as event_covariance
from verax.epistemic.covariance import member_histograms as member_histograms
from verax.epistemic.dropout import Dropout as Dropout
from verax.epistemic.dropout import dropout as dropout
from verax.epistemic.dropout import dropout_members as dropout_members
from verax.epistemic.ensemble import ensemble as ensemble
from verax.epistemic.hmc import Chains as Chains
from verax.epistemic.hmc import hmc as hmc
from verax.epistemic.laplace import Laplace as Laplace
from verax.epistemic.laplace import laplace as laplace
from verax.epistemic.posterior import temper as temper
from verax.epistemic.variational import Variational as Variational
from verax.epistemic.variational import variational as variational

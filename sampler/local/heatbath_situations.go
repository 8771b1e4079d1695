package local

// Situations of a site in the Potts model's heat bath: its neighbours' colours can be alike
// in five ways, and its own colour is that of one of the runs or of none.
var (
	// situationOf numbers the situations by pattern and number of bonds satisfied.
	situationOf [patterns][maxStep + 1]uint8
	// situationAt is a pattern and a number of bonds for each of these numbers.
	situationAt [][2]int
	// insideSituation is the number of a site inside a domain.
	insideSituation int
)

// numberSituations fills the tables above; it needs runStart.
func numberSituations() {
	numbers := map[[4]uint8]int{} // first number by the runs' lengths, ascending
	for pattern := range patterns {
		var lengths [4]uint8
		for i, n := range runStart[pattern] {
			lengths[i] = n
			for k := i; k > 0 && lengths[k] < lengths[k-1]; k-- {
				lengths[k], lengths[k-1] = lengths[k-1], lengths[k]
			}
		}
		first, known := numbers[lengths]
		if !known {
			first = len(situationAt)
			numbers[lengths] = first
		}
		next := first
		for present := range maxStep + 1 {
			possible := present == 0
			for _, n := range lengths {
				possible = possible || int(n) == present
			}
			if !possible {
				continue
			}
			if !known {
				situationAt = append(situationAt, [2]int{pattern, present})
			}
			situationOf[pattern][present] = uint8(next)
			next++
		}
	}
	insideSituation = int(situationOf[patterns-1][maxStep])
}

// countSituation adds n times a situation to the changes of a level, given q colours.
func countSituation(row []int64, situation int, n int64, q int) {
	pattern, present := situationAt[situation][0], situationAt[situation][1]
	row[maxStep-present] += n * int64(max(q-runs[pattern], 0))
	for _, bonds := range runStart[pattern] {
		if bonds > 0 {
			row[int(bonds)-present+maxStep] += n
		}
	}
}

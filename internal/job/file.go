package job

// File is the name of the file in a run directory that holds the job's Spec as JSON. From these
// files a queue that was lost is built again.
const File = "job.json"

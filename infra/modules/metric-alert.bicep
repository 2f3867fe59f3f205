// One alert on a metric that should be zero, told apart by one dimension.
targetScope = 'resourceGroup'

@description('Tags of the rule.')
param tags object

@description('Name of the rule.')
param name string

@description('What has happened and what to do now.')
param text string

@description('Severity of the alert, 0 being the worst.')
@minValue(0)
@maxValue(4)
param severity int

@description('Whether the rule is on.')
param enabled bool

@description('Resource id of what the metric is about.')
param targetId string

@description('Namespace of the metric: the type of the resource.')
param metricNamespace string

@description('Name of the metric in the REST API.')
param metricName string

@description('Dimension whose values have an alert each.')
param dimension string

@description('Resource ids of the action groups to tell.')
param actionGroupIds string[]

resource rule 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    description: text
    severity: severity
    enabled: enabled
    scopes: [targetId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'above-zero'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: metricNamespace
          metricName: metricName
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [
            {
              name: dimension
              operator: 'Include'
              values: ['*']
            }
          ]
        }
      ]
    }
    actions: map(actionGroupIds, id => {
      actionGroupId: id
    })
  }
}
